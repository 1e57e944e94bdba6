import type { StatusClass } from "../config/status-class.ts";

/** One try of a request on one provider: how it ended, how long it waited for room, how long it took (ms). */
export interface Attempt<P extends string = string> {
  readonly provider: P;
  readonly status: StatusClass;
  readonly waitedMs: number;
  readonly latencyMs: number;
  readonly error: unknown;
}
