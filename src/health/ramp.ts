// Ramp-up: the way back to the full rate after a trial that succeeded.
//
//   rate(t) = share x limit / window      share: 1/2 in the first step, 3/4 in the second; afterwards only the quotas limit
//   step    = min(5 s, longest window / 12)
//   a lease of r requests at t:  next = max(next, t) + r / rate(t);  the next lease starts at `next`, or at the end of the ramp
//
//   without a rate, after a rate limit:  requests in flight < width + whole 5 s without a change of the width
//   5 s after the last rate limit, requests that were granted before it do not count, because they can take minutes
//   width = 1; doubled by each `width` successes; halved by a rate limit during the ramp; the ramp ends at width >= peak,
//   the number in flight at the rate limit that started it
//
// Regimes: the rate is that of the shortest requests quota. The step is that of the longest quota of any dimension. Both
// consider only windows of up to an hour, because longer windows do not define a rate. For windows of a minute and more, a
// step is 5 s. Shorter windows need less time, because they fill faster. A provider without such a requests quota, such as
// one with an undeclared limit, ramps up by the number in flight, and only after rate limits. A rate limit during that
// ramp-up starts a cooldown of the mean latency, in which about as many requests end as the server admits.
// Source: measured. If all requests return after one probe, they exceed the limit again; with a ramp-up they do not. If the
// server's bucket is empty at the recovery, this step leaves 0.9 to 1.8 429s at windows of 1 to 60 s (no ramp-up: 2.6 to
// 76), and 86 to 93 % served in the first window. Steps of 5 s leave a window of 1 s with 33 %. With one quota per minute
// and one per second, steps by the shortest window have 32 429s, these steps 0.2. An undeclared
// limit of 4 in flight: map of 200 items of 0.2 to 3 s takes 1.4 to 1.9 times the ideal time, with 0.5 to 1.4 429s an item.
// Cooldowns of 1 s during the ramp-up: up to 3.8 times.

const LONGEST_STEP_MS = 5_000;
const STEPS_PER_WINDOW = 12;
const SHARES: readonly number[] = [0.5, 0.75];
const LONGEST_WINDOW_MS = 3_600_000;

/** Facts of a limit that a ramp-up needs. */
export interface WindowLimit {
  readonly limit: number;
  /** Length of a rolling window in ms; null: none. */
  readonly windowMs: number | null;
  /** True for a limit on requests. */
  readonly isOfRequests: boolean;
}

/** Spaces the leases of one provider after its recovery. It has no clock: callers pass the instant (ms). */
export class Ramp {
  /** Full rate in requests per ms. 0: no quota limits the rate, so there is no ramp-up. */
  #ratePerMs = 0;
  #stepMs = LONGEST_STEP_MS;
  #startedAt = -Infinity;
  #endsAt = -Infinity;
  /** Earliest instant of the next lease. */
  #nextAt = -Infinity;
  /** Number of requests in flight that the ramp-up admits. Infinity: no ramp-up by that number. */
  #width = Infinity;
  #peak = 0;
  #limitedAt = -Infinity;
  /** Instant of the last change of the width, or rate limit. */
  #changedAt = -Infinity;
  /** Number of successes since the width changed. */
  #successes = 0;

  /** Reads the rate and the step from the limits of the provider. A ramp-up in progress continues with them. */
  setLimits(limits: readonly WindowLimit[]): void {
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
    this.#ratePerMs = shortest === null ? 0 : shortest.limit / shortestMs;
    this.#stepMs = Math.min(LONGEST_STEP_MS, longestMs / STEPS_PER_WINDOW);
    this.#endsAt = this.#startedAt + this.#stepMs * SHARES.length;
  }

  /** Records the start of a cooldown after a rate limit. `inFlight`: requests in flight, the refused one included. */
  limited(inFlight: number, now: number): void {
    this.#limitedAt = now;
    this.#changedAt = now;
    if (this.#ratePerMs > 0 || (!this.isNarrow && inFlight < 2)) return;
    if (!this.isNarrow) this.#peak = inFlight;
    this.#width = this.isNarrow ? Math.max(1, Math.floor(this.#width / 2)) : 1;
    this.#successes = 0;
  }

  /** Records a success of a request that was granted after the last cooldown began. `isTrial`: it ends that cooldown. */
  succeeded(isTrial: boolean, now: number): void {
    if (isTrial) {
      this.#startedAt = now;
      this.#endsAt = now + this.#stepMs * SHARES.length;
      this.#nextAt = now;
    }
    if (!this.isNarrow || ++this.#successes < this.#width) return;
    this.#width *= 2;
    this.#successes = 0;
    this.#changedAt = now;
    if (this.#width >= this.#peak) this.#width = Infinity;
  }

  /** True while the number in flight is limited. */
  get isNarrow(): boolean {
    return this.#width < Infinity;
  }

  isOn(now: number): boolean {
    return this.#ratePerMs > 0 ? now < this.#endsAt : this.isNarrow;
  }

  /**
   * Whole milliseconds until the next lease can be granted. 0: now. Infinity: when a request in flight ends. `newer`: those
   * in flight that were granted after the last rate limit.
   */
  waitMs(inFlight: number, newer: number, now: number): number {
    if (this.#ratePerMs === 0) return this.opensAt(inFlight, newer, now) <= now ? 0 : Infinity;
    return Math.max(0, Math.ceil(Math.min(this.#nextAt, this.#endsAt) - now));
  }

  /** Instant at which time alone admits another request, without a rate. */
  opensAt(inFlight: number, newer: number, now: number): number {
    const oldUntil = this.#limitedAt + LONGEST_STEP_MS;
    const isOpenAt = (counted: number, at: number) =>
      counted < this.#width + Math.floor(Math.max(0, at - this.#changedAt) / LONGEST_STEP_MS);
    if (isOpenAt(now < oldUntil ? inFlight : newer, now)) return now;
    return Math.max(oldUntil, this.#changedAt + LONGEST_STEP_MS * Math.max(0, newer - this.#width + 1));
  }

  /** Records that a lease of this number of requests is granted. */
  take(requests: number, now: number): void {
    if (this.#ratePerMs === 0) return;
    const share = SHARES[Math.floor((now - this.#startedAt) / this.#stepMs)] ?? 1;
    this.#nextAt = Math.max(this.#nextAt, now) + requests / (this.#ratePerMs * share);
  }

  /** The ramp-up for a snapshot, with ages instead of instants; null: none. */
  save(now: number): (number | null)[] | null {
    if (!this.isOn(now)) return null;
    const age = (at: number) => (at === -Infinity ? null : Math.max(0, now - at));
    return [
      ...[this.#startedAt, this.#limitedAt, this.#changedAt].map(age),
      Math.max(0, this.#nextAt - now),
      ...(this.isNarrow ? [this.#width, this.#peak, this.#successes] : [null]),
    ];
  }

  restore(saved: readonly (number | null)[], savedAt: number): void {
    const before = (age: number | null | undefined) => (age === null || age === undefined ? -Infinity : savedAt - age);
    this.#startedAt = before(saved[0]);
    this.#endsAt = this.#startedAt + this.#stepMs * SHARES.length;
    this.#limitedAt = before(saved[1]);
    this.#changedAt = before(saved[2]);
    this.#nextAt = savedAt + (saved[3] ?? 0);
    this.#width = Math.max(1, saved[4] ?? Infinity);
    this.#peak = saved[5] ?? 0;
    this.#successes = saved[6] ?? 0;
  }

  stop(): void {
    this.#startedAt = -Infinity;
    this.#endsAt = -Infinity;
    this.#width = Infinity;
  }
}
