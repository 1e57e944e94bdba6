/**
 * Source of time. A limiter reads it once per call. While `now` returns less than before, or NaN, no time passes for the
 * limiter.
 */
export interface Clock {
  /** Monotonic milliseconds; fractions are allowed. */
  now(): number;
  /** Unix milliseconds; default Date.now. */
  epochNow?(): number;
  /**
   * Calls `wake` once, at or after `atMs` of this clock. Returns the function that cancels it. Default setTimeout.
   * `isBackground`: it should not keep the process alive; only with a store.
   */
  wakeAt?(atMs: number, wake: () => void, isBackground?: boolean): () => void;
}
