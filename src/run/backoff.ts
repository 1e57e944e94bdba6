// Backoff before the same provider gets the same request again: exponential, with half of it random.
//
//   backoff = (1 + random()) / 2 x min(8 s, 500 ms x 2^failures)
//
//   failures: earlier ones, as the retry policy counts them; random(): uniform in [0, 1)
//
// Regimes: none. Providers that have not failed the call can take the request meanwhile.
// Source: the random half spreads the retries of many callers (AWS Architecture Blog, "Exponential Backoff And Jitter"). The
// fixed half keeps a call alive: with full jitter, 1 % of two-second outages at 10 calls/s use up the attempts of a call.
const FIRST_MS = 500;
const LONGEST_MS = 8_000;

/** Backoff in milliseconds, from 250 to 8,000. The random half is 0 if `random` returns no number. */
export function backoffMs(failures: number, random: () => number): number {
  return (0.5 + (Math.min(1, random()) || 0) / 2) * Math.min(LONGEST_MS, FIRST_MS * 2 ** failures);
}
