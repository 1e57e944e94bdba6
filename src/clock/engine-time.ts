import type { Clock } from "../api/clock.ts";
import { LONGEST_DELAY_MS, runtime } from "./real-clock.ts";

/** A limiter's own time: the clock's, but it never goes back; and the one place that knows how far Unix time is ahead. */
export class EngineTime {
  readonly #clock: Clock;
  #now = 0;
  #epochAhead = 0;
  #isEpochRead = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    const now: unknown = clock.now();
    if (Number.isFinite(now)) this.#now = now as number;
    this.epochAt(this.#now);
  }

  /** Reads the clock, once. A clock that goes back or answers no finite number: no time has passed. */
  read(): number {
    const now: unknown = this.#clock.now();
    if (typeof now === "number" && now > this.#now && now < Infinity) this.#now = now;
    this.#isEpochRead = false;
    return this.#now;
  }

  /** The instant as of the last read. */
  get now(): number {
    return this.#now;
  }

  /** Calls `wake` at or after `atMs`, or sooner where that is further off than a timer reaches; returns its cancel. */
  wakeAt(atMs: number, wake: () => void): () => void {
    const delayMs = Math.min(Math.max(0, atMs - this.#now), LONGEST_DELAY_MS);
    if (this.#clock.wakeAt !== undefined) return this.#clock.wakeAt(this.#now + delayMs, wake);
    const handle = runtime.setTimeout(wake, Math.ceil(delayMs));
    return () => runtime.clearTimeout(handle);
  }

  /** Unix ms at `now`, by the wall clock as it stands at this read; asked of the clock at most once a read. */
  epochAt(now: number): number {
    if (!this.#isEpochRead) {
      const epoch = this.#clock.epochNow === undefined ? Date.now() : this.#clock.epochNow();
      if (Number.isFinite(epoch)) this.#epochAhead = epoch - this.#now;
      this.#isEpochRead = true;
    }
    return now + this.#epochAhead;
  }
}
