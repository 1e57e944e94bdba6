import type { TaskContext } from "../api/attempt.ts";
import type { Lease } from "../api/lease.ts";
import { type Controller, newController } from "./abort-controller.ts";

/** One attempt: the context that its task gets, and the state of its abort. */
export class AttemptContext implements TaskContext {
  readonly provider: string;
  readonly attempt: number;
  readonly lease: Lease;
  readonly startedAt: number;
  isAborted = false;
  reason: unknown;
  /** Called by `abort`. */
  onAbort: (() => void) | undefined;
  #controller: Controller | undefined;

  constructor(lease: Lease, attempt: number, startedAt: number) {
    this.provider = lease.provider;
    this.attempt = attempt;
    this.lease = lease;
    this.startedAt = startedAt;
  }

  // Created on the first read, because most tasks of short calls never read it.
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
    this.onAbort?.();
  }
}
