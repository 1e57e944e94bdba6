/** An error that a script of this guard throws, in the shape in which HTTP clients throw it. */
export class ScriptedError extends Error {
  readonly status: number | undefined;
  readonly code: string | undefined;
  readonly headers: { readonly [name: string]: string } | undefined;

  constructor(cause: number | string, headers?: { readonly [name: string]: string }) {
    super("scripted");
    this.status = typeof cause === "number" ? cause : undefined;
    this.code = typeof cause === "string" ? cause : undefined;
    this.headers = headers;
  }
}
