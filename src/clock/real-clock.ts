import type { Clock } from "../api/clock.ts";

// The core names no runtime: it takes from the global scope what every one of them has.
export interface Timers {
  readonly performance: { now(): number };
  setTimeout(callback: () => void, ms: number): unknown;
  clearTimeout(handle: unknown): void;
}
export const runtime: Timers = globalThis as unknown as Timers;

// A longer delay would fire at once in every runtime.
export const LONGEST_DELAY_MS: number = 2 ** 31 - 1;
const FRACTIONS_PER_MS = 1_024;

/** The runtime's own clock: `performance.now()`, `Date.now()` and `setTimeout`. */
export class RealClock implements Clock {
  /** Milliseconds since the process started, floored to 1/1024 ms so that sums of instants are exact. */
  now(): number {
    return Math.floor(runtime.performance.now() * FRACTIONS_PER_MS) / FRACTIONS_PER_MS;
  }

  epochNow(): number {
    return Date.now();
  }

  wakeAt(atMs: number, wake: () => void): () => void {
    let handle: unknown;
    const arm = () => {
      const delayMs = Math.min(Math.max(0, Math.ceil(atMs - this.now())), LONGEST_DELAY_MS);
      // Timers may fire a little early and are capped, so that every firing looks at the clock again.
      handle = runtime.setTimeout(() => (this.now() >= atMs ? wake() : arm()), delayMs);
    };
    arm();
    return () => runtime.clearTimeout(handle);
  }
}
