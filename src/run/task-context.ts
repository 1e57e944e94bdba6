import type { Lease } from "../admission/lease.ts";

/** What a task is given; `signal` also ends at the attempt's and the call's time-out. */
export interface TaskContext<P extends string = string> {
  readonly provider: P;
  /** 1 for the first. */
  readonly attempt: number;
  /** Made when it is first read: pass it on to what sends the request. */
  readonly signal: AbortSignal;
  /** Settled by itself when the task ends; for `report` and `headersReceived`. */
  readonly lease: Lease<P>;
}

interface Controller {
  readonly signal: AbortSignal;
  abort(reason: unknown): void;
}
const runtime = globalThis as unknown as { readonly AbortController: new () => Controller };

/** Makes what can be aborted. */
export function newController(): Controller {
  return new runtime.AbortController();
}

/** One attempt, as its task sees it. */
export class Attempting implements TaskContext {
  readonly provider: string;
  readonly attempt: number;
  readonly lease: Lease;
  #controller: Controller | null = null;
  #aborted: { readonly reason: unknown } | null = null;

  constructor(lease: Lease, attempt: number) {
    this.provider = lease.provider;
    this.attempt = attempt;
    this.lease = lease;
  }

  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = newController();
      if (this.#aborted !== null) this.#controller.abort(this.#aborted.reason);
    }
    return this.#controller.signal;
  }

  get isAborted(): boolean {
    return this.#aborted !== null;
  }

  /** The task's work is not wanted any more. */
  abort(reason: unknown): void {
    this.#aborted = { reason };
    this.#controller?.abort(reason);
  }
}
