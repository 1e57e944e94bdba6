/** AbortController with the members that this package uses; the type names no runtime's library. */
export interface Controller {
  readonly signal: AbortSignal;
  abort(reason: unknown): void;
}

const runtime = globalThis as unknown as { readonly AbortController: new () => Controller };

/** Creates a signal together with the function that aborts it. */
export function newController(): Controller {
  return new runtime.AbortController();
}
