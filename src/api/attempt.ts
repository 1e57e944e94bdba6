import type { DialectName } from "./dialect-name.ts";
import type { KeptLease, Lease } from "./lease.ts";
import type { StatusClass } from "./status-class.ts";

/** One try of a request on one provider. */
export interface Attempt<P extends string = string> {
  readonly provider: P;
  readonly status: StatusClass;
  /** Milliseconds until the lease was granted. */
  readonly waitedMs: number;
  /** Milliseconds from the grant to the end of the task; of a stream, to its first chunk. */
  readonly latencyMs: number;
  /**
   * Error that the task threw, or the value that was classified as a failure; null: none. The body of a response is
   * cancelled when another attempt follows. Not enumerable, because errors of clients can contain keys.
   */
  readonly error: unknown;
}

/** Result of one item of `map`. `index` is its position in the source, from 0. */
export type MapResult<Item, T, P extends string = string> =
  | { readonly ok: true; readonly item: Item; readonly index: number; readonly value: T; readonly provider: P }
  | { readonly ok: false; readonly item: Item; readonly index: number; readonly error: unknown };

/** State of a batch. Items that are stopped before their first attempt count as not pulled. */
export interface MapProgress {
  /** Items that the source has; null: unknown, because it is no array, set or map. */
  readonly total: number | null;
  /** Items with a value. */
  readonly completed: number;
  /** Items with an error. */
  readonly failed: number;
  /** Items of which the task runs. */
  readonly inFlight: number;
  /** Items that were pulled, and wait for capacity, or between two attempts. */
  readonly waiting: number;
  /** Items per second that ended since the first pull; null: none yet. */
  readonly perSecond: number | null;
  /** Why no more items are pulled: the `stopSignal`, or a budget; missing: it goes on. */
  readonly stopped?: "signal" | "budget" | undefined;
  /** Milliseconds until the last item ends at that rate; null: unknown, or stopped. */
  readonly etaMs: number | null;
}

/** Results of `map`, in order of completion. */
export interface MapResults<Item, T, P extends string = string> extends AsyncIterableIterator<MapResult<Item, T, P>> {
  /** Current state of the batch. */
  readonly progress: MapProgress;
  /** Reads all results that are left. Rejects as `next`. */
  toArray(): Promise<MapResult<Item, T, P>[]>;
}

/** Result of `run` and `stream`: the value of the task, the provider that served it, and all attempts, the last one included. */
export interface RunResult<T, P extends string = string> {
  readonly value: T;
  readonly provider: P;
  readonly attempts: readonly Attempt<P>[];
}

/** Context of one attempt, which its task receives. */
export interface TaskContext<P extends string = string> {
  readonly provider: P;
  /** Dialect in the configuration of the provider; null: none. */
  readonly dialect: DialectName | null;
  /** Number of the attempt, from 1. */
  readonly attempt: number;
  /** Signal for the client that sends the request. Aborts with the caller's signal and at the time-outs of attempt and call. */
  readonly signal: AbortSignal;
  /** Lease of the attempt, for `report` and `headersReceived`. It is settled when the task ends. */
  readonly lease: Lease<P>;
  /**
   * Keeps the lease beyond the end of the task, for a response that is read later. The attempt has succeeded, whatever its
   * value, and the caller settles the lease. `stream` settles it at the end of the stream if the caller has not.
   */
  keep(): KeptLease<P>;
}
