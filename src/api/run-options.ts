import type { Settlement } from "./lease.ts";
import type { StatusClass } from "./status-class.ts";
import type { Usage } from "./usage.ts";

/** Result of a task: the value that it returned, or the error that it threw. */
export type TaskResult =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly error: unknown };

/** Defaults of one limiter for `acquire`, `run`, `stream` and `map`. */
export interface RunDefaults {
  /**
   * Longest wait of a call in milliseconds, for capacity, backoff and retry budget together; default 60_000. 0: never wait. In
   * `map` the default is no limit, except that an item fails if leases of this limiter hold the places of its providers and
   * none is freed for `leaseTimeoutMs`.
   */
  maxWaitMs?: number | undefined;
  /**
   * Time limit in milliseconds for a whole call: waiting, attempts, backoff, and the reading of a stream. In `map` for each
   * item. Default none.
   */
  timeoutMs?: number | undefined;
  /** Time limit in milliseconds for one attempt, in `stream` up to the first chunk. Default none. */
  attemptTimeoutMs?: number | undefined;
  /**
   * Most attempts of a call that may have done work; refusals such as 429 do not count. Default: 3, or one more than the
   * providers that the call can use if that is more. By default failed trials after a cooldown do not count either, up to 20.
   */
  maxAttempts?: number | undefined;
  /** false: retry only if the provider certainly did no work. Default true. */
  idempotent?: boolean | undefined;
  /**
   * Classifies the value that a task returned (a stream: when it has ended) or the error that it threw. undefined, or a
   * settlement without status or waiting time: the built-in rules decide that part.
   */
  classify?: ((result: TaskResult) => StatusClass | number | Settlement | undefined) | undefined;
}

/** Share of a call in the capacity that the calls of one priority wait for. */
export interface FairnessOptions {
  /** Calls of one priority share capacity fairly between their keys. Calls without a key share one. */
  fairnessKey?: string | undefined;
  /** Capacity of the key relative to others, above 0; default 1. */
  fairnessWeight?: number | undefined;
}

/** Needs of one `acquire`, and its waiting. */
export interface AcquireOptions<P extends string = string> extends SelectOptions<P>, FairnessOptions {
  /** Ends the wait: `acquire` rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  /** Longest wait for capacity in milliseconds; default 60_000. 0: never wait. Infinity: no limit. */
  maxWaitMs?: number | undefined;
  /** Position in the wait queue: larger goes first. Default 0. */
  priority?: number | undefined;
  /** Milliseconds after which an unsettled lease expires. Default: that of the limiter. */
  leaseTimeoutMs?: number | undefined;
}

/** Options of one `run`. */
export interface RunOptions<P extends string = string> extends AcquireOptions<P>, RunDefaults {
  /** Name of the call in the events `queued`, `attemptStarted`, `attemptEnded` and `callEnded`. Default none. */
  label?: string | undefined;
  maxWaitMs?: number | undefined;
}

/** Options of one `stream`. */
export interface StreamOptions<P extends string = string> extends RunOptions<P> {
  /** Longest time between two chunks in milliseconds; default none. */
  chunkTimeoutMs?: number | undefined;
}

/** How `close` ends. */
export interface CloseOptions {
  /** true: calls that have begun, and leases that are open, end by themselves. Default false. */
  drain?: boolean | undefined;
  /** Longest drain in milliseconds, after which the queued calls are rejected. Default Infinity. */
  timeoutMs?: number | undefined;
}

/** Options of one `map`. */
export interface MapOptions<Item, P extends string = string> extends RunOptions<P> {
  /** Returns the needs of one item, its fairness key, and its label. */
  needs?:
    | ((item: Item, index: number) => SelectOptions<P> & FairnessOptions & { label?: string | undefined })
    | undefined;
  /** Most items in progress, whatever the quotas allow. Default 1_000. */
  concurrency?: number | undefined;
  /**
   * Most dollars that the batch may cost. It stops, as by `stopSignal`, before a request that could exceed them. Needs a price
   * of each provider, or the cost of each item. Default none.
   */
  maxUsd?: number | undefined;
  /**
   * "stop": the batch stops, as by `stopSignal`, when a request of the capability waits or is refused because a dollar quota is
   * spent. Default "wait".
   */
  onBudget?: "stop" | "wait" | undefined;
  /**
   * Stops the batch without losing anything: no more items are pulled, items without an attempt are dropped, and all others
   * end and are yielded. Default none.
   */
  stopSignal?: AbortSignal | undefined;
}

/**
 * Needs of one request. Amounts that are not given are estimated from earlier requests. Before the first one, `select` counts
 * them as 1, and a lease reserves a tenth of the limit, or of a minute's share if all windows are longer.
 */
export interface SelectOptions<P extends string = string> extends Usage {
  /** Upper limit of the estimated output tokens (the API's max_tokens). */
  maxOutputTokens?: number | undefined;
  /** Only these providers; default all. */
  only?: readonly P[] | undefined;
  /** None of these providers. */
  exclude?: readonly P[] | undefined;
  /**
   * Requests with the same key go to the same provider, as long as its score is within 10 % of the best and it has capacity.
   * For prompt caches, which belong to one provider or key. Default none.
   */
  affinityKey?: string | undefined;
}
