import type { TaskContext } from "../api/attempt.ts";
import type { Lease } from "../api/lease.ts";

interface Controller {
  readonly signal: AbortSignal;
  abort(reason: unknown): void;
}
const runtime = globalThis as unknown as { readonly AbortController: new () => Controller };

/** A signal, and the means to end it. */
export function newController(): Controller {
  return new runtime.AbortController();
}

/** One attempt, as its task sees it, and as it can be given up. */
export class AttemptContext implements TaskContext {
  readonly provider: string;
  readonly attempt: number;
  readonly lease: Lease;
  readonly startedAt: number;
  isAborted = false;
  reason: unknown;
  /** Called when it is given up. */
  whenAborted: (() => void) | undefined;
  #controller: Controller | undefined;

  constructor(lease: Lease, attempt: number, startedAt: number) {
    this.provider = lease.provider;
    this.attempt = attempt;
    this.lease = lease;
    this.startedAt = startedAt;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = newController();
      if (this.isAborted) this.#controller.abort(this.reason);
    }
    return this.#controller.signal;
  }

  abort(reason: unknown): void {
    this.isAborted = true;
    this.reason = reason;
    this.#controller?.abort(reason);
    this.whenAborted?.();
  }
}
