import type { Decision } from "./decision.ts";
import type { Refusal } from "./refusal.ts";

/** What would happen to an `acquire` with these options now. */
export interface Explanation<P extends string = string> {
  /**
   * "granted": a lease immediately. "waits": it joins the queue. "refused": it is rejected immediately, because the queue is full
   * or no capacity can become available for it within `maxWaitMs`.
   */
  readonly outcome: "granted" | "waits" | "refused";
  /** Provider that would be granted immediately, and its score; null: the call would wait or be refused. */
  readonly decision: Decision<P> | null;
  /**
   * Why no provider can take the request now, and when it can be served behind the queue at the earliest; null: one can take it.
   * `waiters_ahead`: its capacity is reserved for waiting calls.
   */
  readonly refusal: Refusal<P> | null;
  /** Number of waiting calls of the same or a higher priority that can use one of its providers. */
  readonly ahead: number;
}
