import type { StatusClass } from "../config/status-class.ts";

/**
 * One try of a request on one provider: how it ended, how long it waited for room, how long it took (ms; of a stream up to
 * its first chunk). `error` is what was thrown, or the value that was no success (of a response, its body is cancelled once
 * another attempt is made); null: none.
 */
export interface Attempt<P extends string = string> {
  readonly provider: P;
  readonly status: StatusClass;
  readonly waitedMs: number;
  readonly latencyMs: number;
  readonly error: unknown;
}
