import type { Clock } from "../api/clock.ts";

// The core names no runtime: it uses only globals that all of them have.
/** Globals that measure time. */
export interface Timers {
  readonly performance: { now(): number };
  setTimeout(callback: () => void, ms: number): unknown;
  clearTimeout(handle: unknown): void;
}
/** Globals of the runtime. */
export const runtime: Timers = globalThis as unknown as Timers;

/** Longest delay of a timer. A longer one fires immediately in every runtime. */
export const LONGEST_DELAY_MS: number = 2 ** 31 - 1;
const FRACTIONS_PER_MS = 1_024;

/** Clock of the runtime: `performance.now()`, `Date.now()` and `setTimeout`. */
export class RealClock implements Clock {
  /** Milliseconds since the start of the process, floored to 1/1024 ms so that sums of instants are exact. */
  now(): number {
    return Math.floor(runtime.performance.now() * FRACTIONS_PER_MS) / FRACTIONS_PER_MS;
  }

  epochNow(): number {
    return Date.now();
  }

  wakeAt(atMs: number, wake: () => void, isBackground?: boolean): () => void {
    let handle: unknown;
    const arm = () => {
      const delayMs = Math.min(Math.max(0, Math.ceil(atMs - this.now())), LONGEST_DELAY_MS);
      // Timers can fire a little early, and the delay is capped, so the clock is read again.
      handle = runtime.setTimeout(() => (this.now() >= atMs ? wake() : arm()), delayMs);
      // Timers of browsers are numbers and keep nothing alive.
      if (isBackground) (handle as { unref?(): void }).unref?.();
    };
    arm();
    return () => runtime.clearTimeout(handle);
  }
}
