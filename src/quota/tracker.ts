/**
 * Counts what one quota has used. A tracker knows no clock: every method is told the instant (ms), and an instant
 * before the latest one counts as the latest. Amounts are whole numbers >= 0. What can be granted is `capacity - used`.
 *
 * All trackers run one conformance suite (test/quota/tracker-suite.ts): recording `a` adds `a` to what is used, time
 * alone only releases, and `releaseAt` is the first millisecond at which an amount is gone, never too early.
 */
export interface Tracker {
  /** The most that it holds at once. */
  readonly capacity: number;
  /** What is counted now, whole, rounded up; above `capacity` where more was recorded than it holds. */
  used(now: number): number;
  /** Counts `amount` at `now`. */
  record(amount: number, now: number): void;
  /** How much of what is counted now will have been released by `atMs`. */
  releasedBy(atMs: number, now: number): number;
  /** The first instant at which at least `amount` of what is counted now is released; Infinity: never by time alone. */
  releaseAt(amount: number, now: number): number;
  /** The instant at which `burnPerSecond` more, evenly spread, fills what is left; Infinity: never. Expiry is known to it. */
  exhaustedAt(burnPerSecond: number, now: number): number;
  /** The next reset that the provider itself is known to make; null: it has none. */
  knownResetAt(now: number): number | null;
  /** Takes over what `other` has counted, by amount, if it counts in the same way; true if it does. */
  carry(other: Tracker, now: number): boolean;
}
