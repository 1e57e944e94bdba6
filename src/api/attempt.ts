import type { Lease } from "./lease.ts";
import type { StatusClass } from "./status-class.ts";

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

/** What became of one item; `index` is its place in the source, from 0. */
export type MapResult<Item, T, P extends string = string> =
  | { readonly ok: true; readonly item: Item; readonly index: number; readonly value: T; readonly provider: P }
  | { readonly ok: false; readonly item: Item; readonly index: number; readonly error: unknown };

/** What `run` gives: the task's own value, who served it, and everything that was tried, the last one included. */
export interface RunResult<T, P extends string = string> {
  readonly value: T;
  readonly provider: P;
  readonly attempts: readonly Attempt<P>[];
}

/** What a task is given; `signal` also ends at the attempt's and the call's time-out. */
export interface TaskContext<P extends string = string> {
  readonly provider: P;
  /** 1 for the first. */
  readonly attempt: number;
  /** For what sends the request; made when it is first read. */
  readonly signal: AbortSignal;
  /** Settled when the task ends; for `report` and `headersReceived`. */
  readonly lease: Lease<P>;
}
