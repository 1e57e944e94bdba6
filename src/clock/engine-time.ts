import type { Clock } from "../api/clock.ts";
import { LONGEST_DELAY_MS, RealClock, runtime } from "./real-clock.ts";

/** Time of one limiter: the time of its clock, but it never goes back. Also knows the offset between it and Unix time. */
export class EngineTime {
  /** True if it is the time of the runtime. */
  readonly isReal: boolean;
  readonly #clock: Clock;
  #now = 0;
  #epochAhead = 0;
  #isEpochRead = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.isReal = clock instanceof RealClock;
    const now: unknown = clock.now();
    if (Number.isFinite(now)) this.#now = now as number;
    this.epochAt(this.#now);
  }

  /** Reads the clock once. A clock that goes back or returns no finite number means that no time has passed. */
  read(): number {
    const now: unknown = this.#clock.now();
    if (typeof now === "number" && now > this.#now && now < Infinity) this.#now = now;
    this.#isEpochRead = false;
    return this.#now;
  }

  /** Instant of the last read. */
  get now(): number {
    return this.#now;
  }

  /**
   * Calls `wake` at or after `atMs`, or earlier if a timer cannot wait that long. Returns the function that cancels it.
   * `isBackground`: it need not keep the process alive.
   */
  wakeAt(atMs: number, wake: () => void, isBackground?: boolean): () => void {
    const delayMs = Math.min(Math.max(0, atMs - this.#now), LONGEST_DELAY_MS);
    if (this.#clock.wakeAt !== undefined) return this.#clock.wakeAt(this.#now + delayMs, wake, isBackground);
    const handle = runtime.setTimeout(wake, Math.ceil(delayMs));
    return () => runtime.clearTimeout(handle);
  }

  /** Unix ms of an instant, by the wall clock as of the last read. The wall clock is read at most once per read. */
  epochAt(now: number): number {
    if (!this.#isEpochRead) {
      const epoch = this.#clock.epochNow === undefined ? Date.now() : this.#clock.epochNow();
      if (Number.isFinite(epoch)) this.#epochAhead = epoch - this.#now;
      this.#isEpochRead = true;
    }
    return now + this.#epochAhead;
  }

  /** Reads the clock once. Returns Unix ms. Bound, so that it can be passed on. */
  readonly readEpoch: () => number = () => this.epochAt(this.read());
}
