import type { Attempt } from "../api/attempt.ts";
import type { StatusClass } from "../api/status-class.ts";

/** An attempt that has ended. Its error is no own field, because loggers print those, and errors of clients can contain keys. */
export class AttemptRecord implements Attempt {
  readonly provider: string;
  readonly status: StatusClass;
  readonly waitedMs: number;
  readonly latencyMs: number;
  readonly #error: unknown;

  constructor(provider: string, status: StatusClass, waitedMs: number, latencyMs: number, error: unknown) {
    this.provider = provider;
    this.status = status;
    this.waitedMs = waitedMs;
    this.latencyMs = latencyMs;
    this.#error = error;
  }

  get error(): unknown {
    return this.#error;
  }
}
