// A count that starts anew at every reset.
//
//   used(t) = sum of what was recorded since the last reset
//
// Regimes: with the provider's own resets (a calendar, or one known reset instant) it uses the quota to the last unit;
// without them it starts its windows at the declaration, and a server of another phase may see up to twice the limit.
// The resets come from a schedule on a time line of its own (see clock/reset-schedule.ts).

import type { ResetSchedule } from "../clock/reset-schedule.ts";
import type { Resets, Tracker } from "./tracker.ts";

/** For servers whose resets are known; constant memory, O(1). */
export class FixedWindow implements Tracker {
  capacity: number;
  readonly refillPerMs = 0;
  usedNow = 0;
  unchangedUntil: number = -Infinity;
  readonly #schedule: ResetSchedule;
  /** The latest instant given. */
  #latest: number;
  /** The last reset, in our instants. */
  #since = -Infinity;
  /** The next reset, on the schedule's time line, and at which instant of ours that will be. */
  #reset: number;
  #resetAt = -Infinity;

  /** `capacity` whole; counts from `now`. */
  constructor(capacity: number, schedule: ResetSchedule, now: number) {
    this.capacity = capacity;
    this.#schedule = schedule;
    this.#reset = schedule.resetAfter(schedule.positionAt(now));
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
    // Beyond what a double counts exactly it is full anyway.
    this.usedNow = Math.min(this.usedNow + amount, Number.MAX_SAFE_INTEGER);
  }

  releasedBy(atMs: number, now: number): number {
    this.#roll(now);
    return atMs >= this.#resetAt ? this.usedNow : 0;
  }

  releaseAt(amount: number, now: number): number {
    this.#roll(now);
    if (amount <= 0) return this.#latest;
    return amount <= this.usedNow ? this.#resetAt : Infinity;
  }

  forgottenAt(now: number): number {
    this.#roll(now);
    return this.#resetAt;
  }

  resize(_limit: number, capacity: number): void {
    this.capacity = capacity;
  }

  amend(delta: number, stamp: number, now: number): void {
    this.#roll(now);
    if (stamp >= this.#since) this.usedNow = Math.max(0, this.usedNow + delta);
  }

  copy(): FixedWindow {
    const copy = new FixedWindow(this.capacity, this.#schedule, this.#latest);
    copy.usedNow = this.usedNow;
    copy.unchangedUntil = this.unchangedUntil;
    copy.#since = this.#since;
    copy.#reset = this.#reset;
    copy.#resetAt = this.#resetAt;
    return copy;
  }

  resets(now: number): Resets {
    this.#roll(now);
    const nextAt = this.#resetAt + (this.#schedule.resetAfter(this.#reset) - this.#reset);
    return { at: this.#resetAt, nextAt, isKnown: this.#schedule.isKnown, reviewMs: this.#schedule.reviewMs };
  }

  #roll(now: number): void {
    if (now > this.#latest) this.#latest = now;
    const latest = this.#latest;
    if (latest < this.unchangedUntil) return;
    const position = this.#schedule.positionAt(latest);
    // A wall clock that was set back must not reset a second time soon; one that was set far back must not block for ever.
    const isReset = position >= this.#reset;
    if (isReset || this.#reset - position > this.#schedule.longestMs) this.#reset = this.#schedule.resetAfter(position);
    if (isReset) {
      this.usedNow = 0;
      this.#since = this.#resetAt;
    }
    this.#resetAt = latest + (this.#reset - position);
    this.unchangedUntil = Math.min(this.#resetAt, latest + this.#schedule.reviewMs);
  }
}
