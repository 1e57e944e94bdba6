// Retry budget of a limiter: keeps an outage from multiplying the load.
//
//   a retry is allowed while   retries < perMinute + ratio x requests
//
//   retries, requests: counts of the last minute; perMinute: default 10; ratio: default 0.1
//
// Regimes: without load the floor `perMinute` allows single retries; under load the share `ratio` decides.
// Source: retry budgets of Finagle and gRPC.
import { SlidingWindow } from "../quota/sliding-window.ts";

const MINUTE_MS = 60_000;

/** Retries that a limiter may add to its requests. */
export class RetryBudget {
  readonly #ratio: number;
  readonly #perMinute: number;
  readonly #requests = new SlidingWindow(0, MINUTE_MS);
  readonly #retries = new SlidingWindow(0, MINUTE_MS);

  /** `ratio` (default 0.1) and `perMinute` (default 10) are at least 0. */
  constructor({ ratio = 0.1, perMinute = 10 }: { ratio?: number | undefined; perMinute?: number | undefined } = {}) {
    this.#ratio = ratio;
    this.#perMinute = perMinute;
  }

  /** Counts a first attempt. */
  countRequest(now: number): void {
    this.#requests.record(1, now);
  }

  /** Counts a retry and returns true, or returns false if the budget is spent. */
  takeRetry(now: number): boolean {
    if (!(this.#retries.used(now) < this.#perMinute + this.#ratio * this.#requests.used(now))) return false;
    this.#retries.record(1, now);
    return true;
  }
}
