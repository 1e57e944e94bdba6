// How fast a quota is being used, from two exponentially weighted rates.
//
//   an amount a at t:  r_T = r_T x e^(-dt / T) + a / T      T = 3 s and 30 s, dt seconds since the last amount
//   read at t:         r_T x e^(-dt / T);  burn = (r_3 + r_30) / 2
//
// Regimes: no burn until a second amount came, however late, for one amount is no rate. In the first 5 s after the first
// amount ever the slow rate knows too little: burn = max(r_3, sum of all amounts / max(elapsed, 3 s)).
// Source: measured on LLM traces, the mean of the two scales is near the best single estimator at every horizon from
// 2 to 30 s without tuning; trend terms never win, because such load returns to its mean.

const FAST_SECONDS = 3;
const SLOW_SECONDS = 30;
const WARM_UP_MS = 5_000;

/** Measures how fast a quota is used; no clock, instants in ms. */
export interface BurnMeter {
  count(amount: number, now: number): void;
  /** Amount per second at `now`. */
  perSecond(now: number): number;
  /** At least `perSecond(now)` at every instant until the next amount. */
  perSecondAtMost(): number;
}

/** The mean of a fast and a slow rate; constant memory. */
export class BurnRate implements BurnMeter {
  #fast = 0;
  #slow = 0;
  #total = 0;
  #amounts = 0;
  #firstAt = 0;
  #at = 0;

  /** Counts `amount` at `now` (ms), a negative one as taken back; an instant before the last one counts as the last. */
  count(amount: number, now: number): void {
    if (this.#amounts === 0) {
      this.#firstAt = now;
      this.#at = now;
    }
    const slowDecay = this.#slowDecay(now);
    this.#fast = Math.max(0, this.#fast * fastDecay(slowDecay) + amount / FAST_SECONDS);
    this.#slow = Math.max(0, this.#slow * slowDecay + amount / SLOW_SECONDS);
    // Nobody asks for it after the warm-up.
    this.#total = now - this.#firstAt < WARM_UP_MS ? Math.max(0, this.#total + amount) : 0;
    this.#amounts += Math.sign(amount);
    if (now > this.#at) this.#at = now;
  }

  /** Amount per second at `now`; 0 before a second amount came. */
  perSecond(now: number): number {
    if (this.#amounts < 2) return 0;
    const slowDecay = this.#slowDecay(now);
    const fast = this.#fast * fastDecay(slowDecay);
    const sinceFirstMs = Math.max(now, this.#at) - this.#firstAt;
    if (sinceFirstMs < WARM_UP_MS) return Math.max(fast, this.#total / Math.max(sinceFirstMs / 1_000, FAST_SECONDS));
    return (fast + this.#slow * slowDecay) / 2;
  }

  perSecondAtMost(): number {
    if (this.#amounts < 2) return 0;
    // Both rates only fall; in the warm-up, the slow one is far below what all amounts make in 3 s.
    const isWarm = this.#at - this.#firstAt >= WARM_UP_MS;
    return isWarm ? (this.#fast + this.#slow) / 2 : Math.max(this.#fast, this.#total / FAST_SECONDS);
  }

  #slowDecay(now: number): number {
    return now <= this.#at ? 1 : Math.exp((this.#at - now) / (SLOW_SECONDS * 1_000));
  }
}

/** e^(-dt / 3 s) from e^(-dt / 30 s): its tenth power, which costs less than a second exponential. */
function fastDecay(slowDecay: number): number {
  const square = slowDecay * slowDecay;
  const fourth = square * square;
  return fourth * fourth * square;
}
