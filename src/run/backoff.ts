// Backoff before the same provider gets the same request again: exponential with full jitter.
//
//   backoff = random() x min(8 s, 500 ms x 2^failures)
//
//   failures: failed attempts of this request before the latest one; random(): uniform in [0, 1)
//
// Regimes: none. It applies only if no other provider can take the request; a longer cooldown overrides it.
// Source: full jitter spreads the retries of many callers evenly, and equal pauses would let all of them return together
// (AWS Architecture Blog, "Exponential Backoff And Jitter").
const FIRST_MS = 500;
const LONGEST_MS = 8_000;

/** Backoff in milliseconds, from 0 to 8,000. 0 if `random` returns no number. */
export function backoffMs(failures: number, random: () => number): number {
  return (Math.min(1, random()) || 0) * Math.min(LONGEST_MS, FIRST_MS * 2 ** failures);
}
