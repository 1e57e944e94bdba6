// Burn rate of a quota, from two exponentially weighted rates.
//
//   an amount a at t:  r_T = r_T x e^(-dt / T) + a / T      T = 3 s and 30 s, dt: seconds since the last amount
//   read at t:         r_T x e^(-dt / T);  burn = (r_3 + r_30) / 2
//
// Regimes: the burn is 0 until a second amount arrives, because one amount defines no rate. In the first 5 s after the first
// amount the slow rate has too little data: burn = max(r_3, sum of all amounts / max(elapsed, 3 s)). A refunded amount is
// subtracted from the rates and from the sum, but it still counts as an arrival. A correction counts as if the amount had
// been correct from the beginning, because the rates are linear in the amounts.
// Source: measured on LLM traces. The mean of the two scales is close to the best single estimator at every horizon from
// 2 to 30 s without tuning. Trend terms never help, because such load returns to its mean. The one exponential per amount
// is not measurable: rates that are updated every 50 ms by a series took the same time.

const FAST_SECONDS = 3;
const SLOW_SECONDS = 30;
const SLOW_MS = 1_000 * SLOW_SECONDS;
const WARM_UP_MS = 5_000;

/** Measures how fast a quota is used. It has no clock: callers pass the instant (ms). */
export interface BurnMeter {
  /** Rates and sums as numbers >= 0, with ages instead of instants. */
  save?(now: number): number[];
  /** Sets what was saved at `savedAt`. */
  restore?(saved: readonly number[], savedAt: number): void;
  /** Upper bound of `perSecond` at every instant until the next `count`. */
  readonly bound: number;
  count(amount: number, now: number, at?: number): void;
  /** Amount per second at `now`. */
  perSecond(now: number): number;
}

/** Mean of a fast and a slow rate; constant memory. */
export class BurnRate implements BurnMeter {
  bound = 0;
  // Rates per second at #ratedAt.
  #fast = 0;
  #slow = 0;
  #ratedAt = 0;
  #total = 0;
  #amounts = 0;
  #firstAt = 0;

  /**
   * Counts `amount` at `now` (ms). A negative amount is a refund. An instant before the latest one counts as the latest.
   * With an `at` before `now`, it corrects the amount of that earlier instant by `amount`.
   */
  count(amount: number, now: number, at: number = now): void {
    if (this.#amounts === 0) {
      this.#firstAt = now;
      this.#ratedAt = now;
    }
    let fast = this.#fast;
    let slow = this.#slow;
    if (now > this.#ratedAt) {
      const slowDecay = Math.exp((this.#ratedAt - now) / SLOW_MS);
      fast *= tenthPower(slowDecay);
      slow *= slowDecay;
      this.#ratedAt = now;
    }
    if (at >= now) {
      fast += amount / FAST_SECONDS;
      slow += amount / SLOW_SECONDS;
    } else {
      const since = Math.exp((at - now) / SLOW_MS);
      fast += (amount / FAST_SECONDS) * tenthPower(since);
      slow += (amount / SLOW_SECONDS) * since;
    }
    this.#fast = fast < 0 ? 0 : fast;
    this.#slow = slow < 0 ? 0 : slow;
    // A correction is not an arrival. Otherwise one amount and its correction would make a rate of their small remainder.
    if (amount > 0 && at >= now) this.#amounts++;
    if (this.#ratedAt - this.#firstAt < WARM_UP_MS) this.#warmUp(amount);
    else this.#setBound();
  }

  save(now: number): number[] {
    if (this.#amounts === 0) return [];
    const ages = [now - this.#ratedAt, now - this.#firstAt].map((age) => Math.max(0, age));
    return [this.#fast, this.#slow, this.#total, this.#amounts, ...ages];
  }

  restore(saved: readonly number[], savedAt: number): void {
    const [fast = 0, slow = 0, total = 0, amounts = 0, ratedMs = 0, firstMs = 0] = saved;
    this.#fast = fast;
    this.#slow = slow;
    this.#total = total;
    this.#amounts = amounts;
    this.#ratedAt = savedAt - ratedMs;
    this.#firstAt = savedAt - firstMs;
    if (this.#ratedAt - this.#firstAt < WARM_UP_MS) this.#warmUp(0);
    else this.#setBound();
  }

  /** Both rates only fall until the next amount, so this is an upper bound. */
  #setBound(): void {
    this.bound = this.#amounts < 2 ? 0 : (this.#fast + this.#slow) / 2;
  }

  /** Amount per second at `now`; 0 before a second amount arrived. */
  perSecond(now: number): number {
    if (this.#amounts < 2) return 0;
    const slowDecay = now <= this.#ratedAt ? 1 : Math.exp((this.#ratedAt - now) / SLOW_MS);
    const fast = this.#fast * tenthPower(slowDecay);
    const sinceFirstMs = Math.max(now, this.#ratedAt) - this.#firstAt;
    if (sinceFirstMs < WARM_UP_MS) return Math.max(fast, this.#total / Math.max(sinceFirstMs / 1_000, FAST_SECONDS));
    return (fast + this.#slow * slowDecay) / 2;
  }

  /** Adds to the sum of the first 5 s. The bound divides that sum by 3 s, the shortest elapsed time that counts. */
  #warmUp(amount: number): void {
    this.#total = Math.max(0, this.#total + amount);
    this.bound = this.#amounts < 2 ? 0 : Math.max(this.#fast, this.#total / FAST_SECONDS);
  }
}

/** e^(-dt / 3 s) from e^(-dt / 30 s), at a lower cost than a second exponential. */
function tenthPower(slow: number): number {
  const square = slow * slow;
  const fourth = square * square;
  return fourth * fourth * square;
}
