import { SlidingWindow } from "../quota/sliding-window.ts";

const MINUTE_MS = 60_000;

/**
 * How many retries a limiter may add to what it is asked for, so that an outage is not answered with a multiple of the
 * load: in any minute, fewer than `perMinute + ratio x requests` of that minute.
 */
export class RetryBudget {
  readonly #ratio: number;
  readonly #perMinute: number;
  readonly #requests = new SlidingWindow(0, MINUTE_MS);
  readonly #retries = new SlidingWindow(0, MINUTE_MS);

  /** `ratio` default 0.1, `perMinute` default 10; both from 0. */
  constructor({ ratio = 0.1, perMinute = 10 }: { ratio?: number | undefined; perMinute?: number | undefined } = {}) {
    this.#ratio = ratio;
    this.#perMinute = perMinute;
  }

  /** A first attempt was made at `now` (ms). */
  countRequest(now: number): void {
    this.#requests.record(1, now);
  }

  /** True if a retry may be made at `now` (ms); it is then counted. */
  takeRetry(now: number): boolean {
    if (!(this.#retries.used(now) < this.#perMinute + this.#ratio * this.#requests.used(now))) return false;
    this.#retries.record(1, now);
    return true;
  }
}
