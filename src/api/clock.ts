/**
 * Where a limiter gets its time: monotonic ms, wall-clock ms, and one wake-up. A limiter reads it once per call; while
 * it answers less than before, or NaN, no time passes: the limiter's time stands still until the clock has caught up.
 */
export interface Clock {
  /** Monotonic milliseconds, fractions allowed. */
  now(): number;
  /** Unix milliseconds; default Date.now. */
  epochNow?(): number;
  /** Calls `wake` once, at or after `atMs` of this clock; returns its cancel; default setTimeout. */
  wakeAt?(atMs: number, wake: () => void): () => void;
}
