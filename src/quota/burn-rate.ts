// Burn rate of a quota, from two exponentially weighted rates.
//
//   an amount a at t:  r_T = r_T x e^(-dt / T) + a / T      T = 3 s and 30 s, dt: seconds since the last amount
//   read at t:         r_T x e^(-dt / T);  burn = (r_3 + r_30) / 2
//
// Regimes: the burn is 0 until a second amount arrives, however late, because one amount is no rate. In the first 5 s after
// the first amount the slow rate has too little data: burn = max(r_3, sum of all amounts / max(elapsed, 3 s)). An amount
// that is given back later is subtracted from the rates and from the sum; it still counts as an arrival. A correction counts
// as if the amount had been correct from its beginning, because the rates are linear in the amounts.
// Both rates are kept as of a landmark at most 50 ms old: an amount is scaled up by e^(age of the landmark / T), a short
// polynomial, so that an exponential is computed once per landmark and not once per amount.
// Source: measured on LLM traces, the mean of the two scales is close to the best single estimator at every horizon from
// 2 to 30 s without tuning; trend terms never help, because such load returns to its mean.

const FAST_SECONDS = 3;
const SLOW_SECONDS = 30;
const SLOW_MS = 1_000 * SLOW_SECONDS;
const WARM_UP_MS = 5_000;
const LANDMARK_MS = 50;

/** Measures how fast a quota is used; it knows no clock, instants are in ms. */
export interface BurnMeter {
  /** Upper bound of `perSecond` at every instant until the next `count`. */
  readonly bound: number;
  count(amount: number, now: number, at?: number): void;
  /** Amount per second at `now`. */
  perSecond(now: number): number;
}

/** Mean of a fast and a slow rate; constant memory. */
export class BurnRate implements BurnMeter {
  bound = 0;
  // Rates per second as of #landmark; later amounts are scaled up accordingly.
  #fast = 0;
  #slow = 0;
  #landmark = 0;
  #latest = 0;
  #total = 0;
  #amounts = 0;
  #firstAt = 0;

  /**
   * Counts `amount` at `now` (ms); a negative amount is given back. An instant before the latest one counts as the latest.
   * With `at`, an amount of that instant is corrected by `amount`.
   */
  count(amount: number, now: number, at: number = now): void {
    if (this.#amounts === 0) {
      this.#firstAt = now;
      this.#landmark = now;
      this.#latest = now;
    }
    if (now > this.#latest) this.#latest = now;
    if (this.#latest - this.#landmark > LANDMARK_MS) this.#moveLandmark();
    const atLeast = at >= now ? this.#latest : this.#latest + (at - now);
    const slowWeight = growth((atLeast - this.#landmark) / SLOW_MS);
    this.#fast = Math.max(0, this.#fast + (amount / FAST_SECONDS) * tenthPower(slowWeight));
    this.#slow = Math.max(0, this.#slow + (amount / SLOW_SECONDS) * slowWeight);
    // A correction is no arrival; without this rule the rates would restart with the rest that a correction leaves.
    if (amount > 0 && at >= now) this.#amounts++;
    if (this.#latest - this.#firstAt < WARM_UP_MS) this.#warmUp(amount);
    // Both rates only fall until the next amount.
    else this.bound = this.#amounts < 2 ? 0 : (this.#fast + this.#slow) / 2;
  }

  /** Amount per second at `now`; 0 before a second amount arrived. */
  perSecond(now: number): number {
    if (this.#amounts < 2) return 0;
    const at = Math.max(now, this.#latest);
    const slowDecay = Math.exp((this.#landmark - at) / SLOW_MS);
    const fast = this.#fast * tenthPower(slowDecay);
    const sinceFirstMs = at - this.#firstAt;
    if (sinceFirstMs < WARM_UP_MS) return Math.max(fast, this.#total / Math.max(sinceFirstMs / 1_000, FAST_SECONDS));
    return (fast + this.#slow * slowDecay) / 2;
  }

  #moveLandmark(): void {
    const slowDecay = Math.exp((this.#landmark - this.#latest) / SLOW_MS);
    this.#fast *= tenthPower(slowDecay);
    this.#slow *= slowDecay;
    this.#landmark = this.#latest;
  }

  /** The slow rate is far below the sum of all amounts over 3 s. */
  #warmUp(amount: number): void {
    this.#total = Math.max(0, this.#total + amount);
    this.bound = this.#amounts < 2 ? 0 : Math.max(this.#fast, this.#total / FAST_SECONDS);
  }
}

/** e^x; for 0 <= x <= 1/600, the age of a landmark, by its series, whose error is below 1e-13. */
function growth(x: number): number {
  if (x < 0) return Math.exp(x);
  return 1 + x * (1 + (x / 2) * (1 + (x / 3) * (1 + x / 4)));
}

/** e^(-dt / 3 s) from e^(-dt / 30 s). */
function tenthPower(slow: number): number {
  const square = slow * slow;
  const fourth = square * square;
  return fourth * fourth * square;
}
