// A count that returns to 0 at every reset.
//
//   used(t) = sum of all amounts recorded since the last reset
//
// Regimes: with the provider's own resets (a calendar, or one known reset instant) it uses the quota to the last unit.
// Without them the first window starts at the declaration, and a server with another phase might see up to twice the limit.
// The resets come from a schedule with its own time line (see clock/reset-schedule.ts).

import { everyWindow, type ResetSchedule } from "../clock/reset-schedule.ts";
import type { Resets, Tracker } from "./tracker.ts";

/** Tracker for servers with known resets; constant memory, O(1). */
export class FixedWindow implements Tracker {
  capacity: number;
  readonly refillPerMs = 0;
  usedNow = 0;
  unchangedUntil: number = -Infinity;
  #schedule: ResetSchedule;
  /** The latest instant that a caller passed. */
  #latest: number;
  /** Instant of the last reset. */
  #lastResetAt = -Infinity;
  /** The next reset on the schedule's time line, and the same reset as an instant. */
  #nextReset: number;
  #nextResetAt = -Infinity;

  /** `capacity`: a whole number. Counts from `now` on. */
  constructor(capacity: number, schedule: ResetSchedule, now: number) {
    this.capacity = capacity;
    this.#schedule = schedule;
    this.#nextReset = schedule.resetAfter(schedule.positionAt(now));
    this.#latest = now;
    this.#roll(now);
  }

  used(now: number): number {
    this.#roll(now);
    return this.usedNow;
  }

  record(amount: number, now: number): void {
    if (amount <= 0) return;
    this.#roll(now);
    // No capacity is larger than the largest exact integer, so a larger count would make no difference.
    this.usedNow = Math.min(this.usedNow + amount, Number.MAX_SAFE_INTEGER);
  }

  releasedBy(atMs: number, now: number): number {
    this.#roll(now);
    return atMs >= this.#nextResetAt ? this.usedNow : 0;
  }

  releaseAt(amount: number, now: number): number {
    this.#roll(now);
    if (amount <= 0) return this.#latest;
    return amount <= this.usedNow ? this.#nextResetAt : Infinity;
  }

  forgottenAt(now: number): number {
    this.#roll(now);
    return this.#nextResetAt;
  }

  resize(_limit: number, capacity: number): void {
    this.capacity = capacity;
  }

  amend(delta: number, countedAt: number, now: number): void {
    this.#roll(now);
    if (countedAt >= this.#lastResetAt) this.usedNow = Math.max(0, this.usedNow + delta);
  }

  copy(): FixedWindow {
    const copy = new FixedWindow(this.capacity, this.#schedule, this.#latest);
    copy.usedNow = this.usedNow;
    copy.unchangedUntil = this.unchangedUntil;
    copy.#lastResetAt = this.#lastResetAt;
    copy.#nextReset = this.#nextReset;
    copy.#nextResetAt = this.#nextResetAt;
    return copy;
  }

  resets(now: number): Resets {
    this.#roll(now);
    const nextAt = this.#nextResetAt + (this.#schedule.resetAfter(this.#nextReset) - this.#nextReset);
    return { at: this.#nextResetAt, nextAt, isKnown: this.#schedule.isKnown, reviewMs: this.#schedule.reviewMs };
  }

  /** The usage, and the time until the reset. */
  save(now: number): number[] {
    this.#roll(now);
    return [this.usedNow, Math.max(0, this.#nextResetAt - this.#latest)];
  }

  restore(
    [used = 0, resetMs = 0]: readonly number[],
    open: number,
    openAt: number,
    savedAt: number,
    now: number,
  ): void {
    const { isKnown, longestMs } = this.#schedule;
    if (!isKnown) this.#schedule = everyWindow(savedAt + (resetMs % longestMs), longestMs);
    const schedule = this.#schedule;
    const position = schedule.positionAt(now);
    const isOfWindow = (at: number) => schedule.resetAfter(schedule.positionAt(at)) > position;
    this.#nextReset = schedule.resetAfter(position);
    this.unchangedUntil = -Infinity;
    const counted = (isOfWindow(savedAt) ? Math.ceil(used) : 0) + (isOfWindow(openAt) ? open : 0);
    this.usedNow = Math.min(counted, Number.MAX_SAFE_INTEGER);
    this.#roll(now);
  }

  #roll(now: number): void {
    if (now > this.#latest) this.#latest = now;
    const latest = this.#latest;
    if (latest < this.unchangedUntil) return;
    const position = this.#schedule.positionAt(latest);
    // A wall clock that was set back a little must not cause a second reset. One that was set back further than a whole
    // period must not block the quota forever.
    const isReset = position >= this.#nextReset;
    if (isReset || this.#nextReset - position > this.#schedule.longestMs)
      this.#nextReset = this.#schedule.resetAfter(position);
    if (isReset) {
      this.usedNow = 0;
      this.#lastResetAt = this.#nextResetAt;
    }
    this.#nextResetAt = latest + (this.#nextReset - position);
    this.unchangedUntil = Math.min(this.#nextResetAt, latest + this.#schedule.reviewMs);
  }
}
