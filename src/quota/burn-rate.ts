// How fast a quota is being used, from two exponentially weighted rates.
//
//   an amount a at t:  r_T = r_T x e^(-dt / T) + a / T      T = 3 s and 30 s, dt seconds since the last amount
//   read at t:         r_T x e^(-dt / T);  burn = (r_3 + r_30) / 2
//
// Regimes: no burn until a second amount came, however late, for one amount is no rate. In the first 5 s after the first
// amount ever the slow rate knows too little: burn = max(r_3, sum of all amounts / max(elapsed, 3 s)). What is taken back later
// is taken from rates and sum, and is no amount: an amount that was taken back whole has come all the same. What is corrected
// later counts as if it had been so from its beginning: the rates are linear in the amounts.
// Source: measured on LLM traces, the mean of the two scales is near the best single estimator at every horizon from
// 2 to 30 s without tuning; trend terms never win, because such load returns to its mean.
import { FAST_RATE, MOST_BURN, newQuotaState, type QuotaState, RATED_AT, SLOW_RATE } from "./quota-state.ts";

const FAST_SECONDS = 3;
const SLOW_SECONDS = 30;
const SLOW_MS = 1_000 * SLOW_SECONDS;
const WARM_UP_MS = 5_000;

/** Measures how fast a quota is used; no clock, instants in ms. */
export interface BurnMeter {
  count(amount: number, now: number, at?: number): void;
  /** Amount per second at `now`. */
  perSecond(now: number): number;
}

/** The mean of a fast and a slow rate; constant memory. It keeps the last four numbers of the quota's state. */
export class BurnRate implements BurnMeter {
  readonly #state: QuotaState;
  #total = 0;
  #amounts = 0;
  #firstAt = 0;

  constructor(state: QuotaState = newQuotaState()) {
    this.#state = state;
  }

  /**
   * Counts `amount` at `now` (ms), a negative one as taken back; an instant before the last one counts as the last. With
   * `at`, by so much an amount of that instant turns out to be another.
   */
  count(amount: number, now: number, at: number = now): void {
    const state = this.#state;
    if (this.#amounts === 0) {
      this.#firstAt = now;
      state[RATED_AT] = now;
    }
    let fast = state[FAST_RATE]!;
    let slow = state[SLOW_RATE]!;
    if (now > state[RATED_AT]!) {
      const slowDecay = Math.exp((state[RATED_AT]! - now) / SLOW_MS);
      fast *= fastDecay(slowDecay);
      slow *= slowDecay;
      state[RATED_AT] = now;
    }
    if (at >= now) {
      fast += amount / FAST_SECONDS;
      slow += amount / SLOW_SECONDS;
    } else {
      const since = Math.exp((at - now) / SLOW_MS);
      fast += (amount / FAST_SECONDS) * fastDecay(since);
      slow += (amount / SLOW_SECONDS) * since;
    }
    if (fast < 0) fast = 0;
    if (slow < 0) slow = 0;
    state[FAST_RATE] = fast;
    state[SLOW_RATE] = slow;
    // What is taken back later is no amount; without it the rates would start anew with what is left of them.
    if (amount > 0 && at >= now) this.#amounts++;
    // Both rates only fall until the next amount.
    if (state[RATED_AT]! - this.#firstAt >= WARM_UP_MS) state[MOST_BURN] = this.#amounts < 2 ? 0 : (fast + slow) / 2;
    else this.#warmUp(amount);
  }

  /** Amount per second at `now`; 0 before a second amount came. */
  perSecond(now: number): number {
    if (this.#amounts < 2) return 0;
    const state = this.#state;
    const slowDecay = now <= state[RATED_AT]! ? 1 : Math.exp((state[RATED_AT]! - now) / SLOW_MS);
    const fast = state[FAST_RATE]! * fastDecay(slowDecay);
    const sinceFirstMs = Math.max(now, state[RATED_AT]!) - this.#firstAt;
    if (sinceFirstMs < WARM_UP_MS) return Math.max(fast, this.#total / Math.max(sinceFirstMs / 1_000, FAST_SECONDS));
    return (fast + state[SLOW_RATE]! * slowDecay) / 2;
  }

  /** The slow rate is far below what all amounts make in 3 s. */
  #warmUp(amount: number): void {
    this.#total = Math.max(0, this.#total + amount);
    const most = Math.max(this.#state[FAST_RATE]!, this.#total / FAST_SECONDS);
    this.#state[MOST_BURN] = this.#amounts < 2 ? 0 : most;
  }
}

/** e^(-dt / 3 s) from e^(-dt / 30 s): its tenth power, which costs less than a second exponential. */
function fastDecay(slowDecay: number): number {
  const square = slowDecay * slowDecay;
  const fourth = square * square;
  return fourth * fourth * square;
}
