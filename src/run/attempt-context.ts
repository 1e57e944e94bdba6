import type { ActiveLease } from "../admission/active-lease.ts";
import type { TaskContext } from "../api/attempt.ts";
import type { DialectName } from "../api/dialect-name.ts";
import type { TaskResult } from "../api/run-options.ts";
import type { Verdict } from "../api/verdict.ts";
import { type Controller, newController } from "./abort-controller.ts";
import { UNKNOWN } from "./classification/classify.ts";

/** Classifier of an attempt that keeps its lease: it stays open unless the task throws. */
export function classifyKept({ ok }: TaskResult): Verdict | null {
  return ok ? null : UNKNOWN;
}

/** One attempt: the context that its task gets, and the state of its abort. */
export class AttemptContext implements TaskContext {
  readonly provider: string;
  readonly attempt: number;
  readonly lease: ActiveLease;
  readonly startedAt: number;
  isAborted = false;
  /** True if the task has kept the lease. */
  isKept = false;
  reason: unknown;
  /** Called by `abort`. */
  onAbort: (() => void) | undefined;
  #controller: Controller | undefined;

  constructor(lease: ActiveLease, attempt: number, startedAt: number) {
    this.provider = lease.provider;
    this.attempt = attempt;
    this.lease = lease;
    this.startedAt = startedAt;
  }

  get dialect(): DialectName | null {
    return this.lease.dialect;
  }

  // Created on the first read, because most tasks of short calls never read it.
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = newController();
      if (this.isAborted) this.#controller.abort(this.reason);
    }
    return this.#controller.signal;
  }

  // A getter, because tasks take the function out of the context.
  get keep(): () => ActiveLease {
    return () => {
      this.isKept = true;
      this.lease.read();
      return this.lease;
    };
  }

  abort(reason: unknown): void {
    this.isAborted = true;
    this.reason = reason;
    this.#controller?.abort(reason);
    this.onAbort?.();
  }
}
