import type { Clock } from "./clock.ts";

/**
 * A limiter's own time: the clock's, but it never goes back. The one place where wall-clock instants are turned into
 * instants of this time and back.
 */
export class EngineTime {
  readonly #clock: Clock;
  #now = 0;
  #epochAhead = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    const now: unknown = clock.now();
    if (Number.isFinite(now)) this.#now = now as number;
    this.epochAt(this.#now);
  }

  /** Reads the clock, once. A clock that goes back or answers no finite number: no time has passed. */
  read(): number {
    const now: unknown = this.#clock.now();
    if (typeof now === "number" && now > this.#now && now < Number.POSITIVE_INFINITY) this.#now = now;
    return this.#now;
  }

  /** The instant as of the last read. */
  get now(): number {
    return this.#now;
  }

  /** Unix ms at `now`, by the wall clock as it stands at this moment. */
  epochAt(now: number): number {
    const epoch = this.#clock.epochNow === undefined ? Date.now() : this.#clock.epochNow();
    if (Number.isFinite(epoch)) this.#epochAhead = epoch - this.#now;
    return now + this.#epochAhead;
  }
}
