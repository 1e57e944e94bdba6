import type { Clock } from "../api/clock.ts";
import { InvalidConfig } from "../errors.ts";

interface WakeUp {
  readonly atMs: number;
  readonly wake: () => void;
}

/** A clock that moves only when it is told to, for tests: everything that waits on it wakes in order, with no real time. */
export class MockClock implements Clock {
  #now: number;
  readonly #epochAhead: number;
  // Kept in order of instant; equal instants in order of arrival.
  #wakeUps: WakeUp[] = [];

  /** Both default 0; `epochNow` moves with `now`. Throws InvalidConfig for a number that is not finite, and for other keys. */
  constructor(options: { readonly startMs?: number | undefined; readonly epochMs?: number | undefined } = {}) {
    for (const key of typeof options === "object" ? Object.keys(options) : [String(options)]) {
      if (key !== "startMs" && key !== "epochMs") throw invalid("options", "{ startMs, epochMs }", key);
    }
    const { startMs = 0, epochMs = 0 } = options;
    requireFinite("startMs", startMs);
    requireFinite("epochMs", epochMs);
    this.#now = startMs;
    this.#epochAhead = epochMs - startMs;
  }

  now(): number {
    return this.#now;
  }

  epochNow(): number {
    return this.#now + this.#epochAhead;
  }

  wakeAt(atMs: number, wake: () => void): () => void {
    requireFinite("atMs", atMs);
    const wakeUp = { atMs, wake };
    let place = this.#wakeUps.length;
    while (place > 0 && this.#wakeUps[place - 1]!.atMs > atMs) place--;
    this.#wakeUps.splice(place, 0, wakeUp);
    return () => {
      const at = this.#wakeUps.indexOf(wakeUp);
      if (at >= 0) this.#wakeUps.splice(at, 1);
    };
  }

  /** Moves forward by `ms`, waking on the way whoever is due, each at its own instant. Throws InvalidConfig below 0. */
  advanceMs(ms: number): void {
    const end = this.#endOf(ms);
    while (this.#wakeNext(end));
    this.#now = Math.max(this.#now, end);
  }

  /** `advanceMs` in seconds. */
  advanceSecs(seconds: number): void {
    this.advanceMs(seconds * 1_000);
  }

  /** Jumps to an instant, which may lie in the past; whoever is due by then wakes on the way. */
  set(ms: number): void {
    requireFinite("ms", ms);
    if (ms >= this.#now) this.advanceMs(ms - this.#now);
    this.#now = ms;
  }

  /** As `advanceMs`, but lets promises run after every wake-up: for `acquire`, `run`, `stream`, `map`. */
  async advanceMsAsync(ms: number): Promise<void> {
    const end = this.#endOf(ms);
    await promisesToRun();
    while (this.#wakeNext(end)) await promisesToRun();
    this.#now = Math.max(this.#now, end);
    await promisesToRun();
  }

  #endOf(ms: number): number {
    requireFinite("ms", ms, 0);
    return this.#now + ms;
  }

  #wakeNext(end: number): boolean {
    const next = this.#wakeUps[0];
    if (next === undefined || next.atMs > end) return false;
    this.#wakeUps.shift();
    this.#now = Math.max(this.#now, next.atMs);
    next.wake();
    return true;
  }
}

const runtime = globalThis as unknown as { setTimeout(callback: () => void, ms: number): unknown };

// A macrotask: by the time it runs, every chain of resolved promises has run, however long.
function promisesToRun(): Promise<void> {
  return new Promise((resolve) => {
    runtime.setTimeout(resolve, 0);
  });
}

function requireFinite(path: string, value: unknown, least = -Infinity): void {
  if (typeof value === "number" && Number.isFinite(value) && value >= least) return;
  const expected = least === 0 ? "a finite number >= 0" : "a finite number";
  throw invalid(path, expected, value);
}

function invalid(path: string, expected: string, value: unknown): InvalidConfig {
  const got = typeof value === "string" ? JSON.stringify(value) : String(value);
  return new InvalidConfig([{ path, expected, got }], [`${path}: expected ${expected}, got ${got}`]);
}
