import type { Clock } from "../api/clock.ts";
import { InvalidConfig } from "../errors.ts";
import { valueText } from "../message-text.ts";
import { openMacrotasks } from "./macrotasks.ts";
import { type Due, TimerHeap } from "./timer-heap.ts";

interface WakeUp extends Due {
  readonly wake: () => void;
}

/** Clock for tests, which moves only by its methods. Wake-ups run in order and take no real time. */
export class MockClock implements Clock {
  #now: number;
  readonly #epochAhead: number;
  readonly #wakeUps = new TimerHeap<WakeUp>();
  #created = 0;

  /** Both options default to 0. `epochNow` moves with `now`. Throws InvalidConfig for an infinite or invalid number, or another key. */
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
    const wakeUp: WakeUp = { dueAt: atMs, order: this.#created++, place: -1, wake };
    this.#wakeUps.put(wakeUp);
    return () => this.#wakeUps.remove(wakeUp);
  }

  /** Moves forward by `ms`. Each wake-up on the way runs at its own instant. Throws InvalidConfig for a number below 0. */
  advanceMs(ms: number): void {
    const end = this.#endOf(ms);
    while (this.#wakeNext(end));
    this.#now = Math.max(this.#now, end);
  }

  /** Same as `advanceMs`, in seconds. */
  advanceSecs(seconds: number): void {
    this.advanceMs(seconds * 1_000);
  }

  /** Moves to an instant, which can be in the past. Wake-ups on the way forward run. Throws InvalidConfig. */
  set(ms: number): void {
    requireFinite("ms", ms);
    if (ms >= this.#now) this.advanceMs(ms - this.#now);
    this.#now = ms;
  }

  /**
   * Same as `advanceMs`, but lets promises run after every wake-up, as `acquire`, `run`, `stream` and `map` need it. Also
   * works while a test runner fakes the timers of the runtime.
   */
  async advanceMsAsync(ms: number): Promise<void> {
    const end = this.#endOf(ms);
    const macrotasks = openMacrotasks();
    try {
      await macrotasks.next();
      while (this.#wakeNext(end)) await macrotasks.next();
      this.#now = Math.max(this.#now, end);
      await macrotasks.next();
    } finally {
      macrotasks.close();
    }
  }

  #endOf(ms: number): number {
    requireFinite("ms", ms, 0);
    return this.#now + ms;
  }

  #wakeNext(end: number): boolean {
    const next = this.#wakeUps.first;
    if (next === undefined || next.dueAt > end) return false;
    this.#wakeUps.remove(next);
    this.#now = Math.max(this.#now, next.dueAt);
    next.wake();
    return true;
  }
}

function requireFinite(path: string, value: unknown, least = -Infinity): void {
  if (typeof value === "number" && Number.isFinite(value) && value >= least) return;
  const expected = least === 0 ? "a finite number >= 0" : "a finite number";
  throw invalid(path, expected, value);
}

function invalid(path: string, expected: string, value: unknown): InvalidConfig {
  const got = valueText(value);
  return new InvalidConfig([{ path, expected, got }], [`${path}: expected ${expected}, got ${got}`]);
}
