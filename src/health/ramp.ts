// The way back to full speed after a trial that succeeded.
//
//   rate(t) = share x limit / window      share: 1/2 in the first step, 3/4 in the second, then no bound but the quotas
//   step    = min(5 s, longest window / 12)
//   a lease of r requests at t:  next = max(next, t) + r / rate(t);  the next one goes at `next`, or when the ramp is over
//
// Regimes: the rate is that of the shortest requests quota, the step that of the longest quota of whatever dimension, among
// windows of up to an hour; longer ones say nothing about a rate, and a provider without such a requests quota does not
// ramp. From windows of a minute on a step is 5 s; shorter windows are as full again after a shorter time.
// Source: measured, one probe and then everybody trips the limit again; a rate ramp after the probe does not. Where the
// server's bucket is empty when it comes back, this step leaves 0.9 to 1.8 429s at windows of 1 to 60 s (none: 2.6 to 76),
// and 86 to 93 % served in the first window; steps of 5 s leave a window of 1 s with 33 %. Steps by the shortest window
// have 32 429s where a minute stands beside a second, these 0.2.

const LONGEST_STEP_MS = 5_000;
const STEPS_PER_WINDOW = 12;
const SHARES: readonly number[] = [0.5, 0.75];
const LONGEST_WINDOW_MS = 3_600_000;

/** A limit, as far as a ramp reads it. */
export interface WindowLimit {
  readonly limit: number;
  /** Length of a rolling window in ms; null: none. */
  readonly windowMs: number | null;
  /** True for a limit on requests. */
  readonly isOfRequests: boolean;
}

/** Spaces the leases of one provider after its recovery; it knows no clock. */
export class Ramp {
  /** Of the full rate, in requests per ms; 0: there is none to ramp. */
  #perMs = 0;
  #stepMs = LONGEST_STEP_MS;
  #from = -Infinity;
  #until = -Infinity;
  #next = -Infinity;

  /** Takes rate and steps from the limits of the provider, also for a ramp in progress. */
  follow(limits: readonly WindowLimit[]): void {
    let shortest: WindowLimit | null = null;
    let shortestMs = Infinity;
    let longestMs = 0;
    for (const limit of limits) {
      const { windowMs } = limit;
      if (windowMs === null || windowMs > LONGEST_WINDOW_MS || limit.limit === 0) continue;
      longestMs = Math.max(longestMs, windowMs);
      if (!limit.isOfRequests || windowMs >= shortestMs) continue;
      shortest = limit;
      shortestMs = windowMs;
    }
    this.#perMs = shortest === null ? 0 : shortest.limit / shortestMs;
    this.#stepMs = Math.min(LONGEST_STEP_MS, longestMs / STEPS_PER_WINDOW);
    this.#until = this.#from + this.#stepMs * SHARES.length;
  }

  start(now: number): void {
    this.#from = now;
    this.#until = now + this.#stepMs * SHARES.length;
    this.#next = now;
  }

  isOn(now: number): boolean {
    return now < this.#until && this.#perMs > 0;
  }

  /** In how many whole ms the next lease goes; 0: now. */
  waitMs(now: number): number {
    return Math.max(0, Math.ceil(Math.min(this.#next, this.#until) - now));
  }

  /** A lease of so many requests goes. */
  take(requests: number, now: number): void {
    const share = SHARES[Math.floor((now - this.#from) / this.#stepMs)] ?? 1;
    this.#next = Math.max(this.#next, now) + requests / (this.#perMs * share);
  }

  stop(): void {
    this.#from = -Infinity;
    this.#until = -Infinity;
  }
}
