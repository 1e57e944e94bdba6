import type { Settlement } from "./lease.ts";
import type { StatusClass } from "./status-class.ts";
import type { Usage } from "./usage.ts";

/** What a task ended with: the value that it returned, or what it threw. */
export type TaskResult =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly error: unknown };

/** How `acquire`, `run`, `stream` and `map` wait, try and judge where a call does not say it. */
export interface RunDefaults {
  /** Longest wait for room (ms); default 60_000, of `map` Infinity; 0 never waits. */
  maxWaitMs?: number | undefined;
  /** Everything: waiting, attempts, backoff; of a stream its reading too, of a map each item by itself; default none. */
  timeoutMs?: number | undefined;
  /** One attempt (in `stream`: up to the first chunk); default none. */
  attemptTimeoutMs?: number | undefined;
  /** Default: one per provider that the call may go to, at least 2. */
  maxAttempts?: number | undefined;
  /** false: fail over only when the provider certainly did no work; default true. */
  idempotent?: boolean | undefined;
  /** Judges what a task returned (a stream: once it has ended) or threw; undefined falls back to the built-in rules, and so does a settlement for a status or a waiting time that it leaves out. */
  classify?: ((result: TaskResult) => StatusClass | number | Settlement | undefined) | undefined;
}

/** What one `acquire` needs, and how it waits. */
export interface AcquireOptions<P extends string = string> extends SelectOptions<P> {
  /** Ends the waiting: `acquire` rejects with its reason. */
  signal?: AbortSignal | undefined;
  /** Longest wait for room; default 60_000; 0 never waits; Infinity. */
  maxWaitMs?: number | undefined;
  /** Larger goes first; default 0. */
  priority?: number | undefined;
  /** How long the lease lives unsettled; default the limiter's. */
  leaseTimeoutMs?: number | undefined;
}

/** One call of `run`. */
export interface RunOptions<P extends string = string> extends AcquireOptions<P>, RunDefaults {
  maxWaitMs?: number | undefined;
}

/** One call of `stream`. */
export interface StreamOptions<P extends string = string> extends RunOptions<P> {
  /** Longest silence between chunks; default none. */
  chunkTimeoutMs?: number | undefined;
}

/** One call of `map`. */
export interface MapOptions<Item, P extends string = string> extends RunOptions<P> {
  /** Needs of one item. */
  needs?: ((item: Item, index: number) => SelectOptions<P>) | undefined;
  /** Most calls at once, whatever the quotas allow; default 1_000. */
  concurrency?: number | undefined;
}

/** What one request needs, as expected; amounts not given are learned from those that ended. Until then they count 1, for a lease a tenth of the limit. */
export interface SelectOptions<P extends string = string> extends Usage {
  /** Caps the learned output estimate (the API's max_tokens). */
  maxOutputTokens?: number | undefined;
  /** Only these providers; undefined: all. */
  only?: readonly P[] | undefined;
  /** None of these. */
  exclude?: readonly P[] | undefined;
}
