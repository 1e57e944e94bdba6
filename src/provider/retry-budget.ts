// Retry budget of one provider: keeps an outage from multiplying the load.
//
//   a retry is allowed while   retries + held < perMinute + ratio x requests
//
//   retries, requests: counts of the last minute, of which requests are the attempts that were no such retries
//   held: retries that are allowed and wait for their lease; perMinute: default 10; ratio: default 0.2
//
// Regimes: without load the floor `perMinute` allows single retries; under load the share `ratio` decides.
// Source: retry budgets of Finagle and gRPC.
import type { GrateLimiterOptions } from "../api/options.ts";
import { SlidingWindow } from "../quota/sliding-window.ts";

const MINUTE_MS = 60_000;
const UNLIMITED: RetryBudgetOptions = { perMinute: Infinity };

type RetryBudgetOptions = Exclude<GrateLimiterOptions["retryBudget"], false | undefined>;

/** Retries that the calls of a limiter may add to the requests of one provider. */
export class RetryBudget {
  readonly #ratio: number;
  readonly #perMinute: number;
  readonly #requests = new SlidingWindow(0, MINUTE_MS);
  readonly #retries = new SlidingWindow(0, MINUTE_MS);
  #held = 0;

  /** `ratio` and `perMinute` are at least 0. false: no limit. */
  constructor(options: GrateLimiterOptions["retryBudget"] = {}) {
    const { ratio = 0.2, perMinute = 10 } = options || UNLIMITED;
    this.#ratio = ratio;
    this.#perMinute = perMinute;
  }

  /** Counts an attempt that is not paid for. */
  countRequest(now: number): void {
    this.#requests.record(1, now);
  }

  /** Holds one retry and returns true, or returns false if the budget is empty. */
  hold(now: number): boolean {
    // Infinity x 0 is NaN.
    const share = this.#ratio * this.#requests.used(now) || 0;
    const isAllowed = this.#retries.used(now) + this.#held < this.#perMinute + share;
    if (isAllowed) this.#held++;
    return isAllowed;
  }

  /** Ends the hold of one retry, which was made or not. */
  settle(isMade: boolean, now: number): void {
    this.#held--;
    if (isMade) this.#retries.record(1, now);
  }
}
