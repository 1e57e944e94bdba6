// How long to leave a provider alone before it is tried again for the same request: full jitter.
//
//   backoff = random() x min(8 s, 500 ms x 2^failures)
//
//   failures: those of this request before the latest one; random(): uniform in [0, 1)
//
// Regimes: none; it is asked for only where no other provider can take the request, and a cooldown that is longer wins.
// Source: full jitter spreads the retries of many callers evenly; equal pauses let them all come back at once.
const FIRST_MS = 500;
const LONGEST_MS = 8_000;

/** In ms, 0 to 8,000. */
export function backoffMs(failures: number, random: () => number): number {
  // Of a `random` that is none, no pause comes.
  return (Math.min(1, random()) || 0) * Math.min(LONGEST_MS, FIRST_MS * 2 ** failures);
}
