// A bucket that holds `burst` and refills `limit` per window, evenly.
//
//   debt(t) = max(0, debt(t0) - (t - t0) x limit / window)      debt: amount missing to full;  t0: last record (ms)
//   used(t) = debt(t), rounded up;  record(a): debt += a
//
// Regimes: the debt is stored times the window, so that whole ms and amounts make whole numbers, exact up to 2^53. It is a
// function of the last record, never of reads, so frequent reads add no rounding. If more is used than the bucket holds, the
// debt exceeds the burst, but by at most one more burst: it is paid off in bounded time.
// A refund counts only as far as the bucket would not have overflowed with it in the meantime (running-minimum.ts).
// A client with this tracker sends up to burst + limit in one window, so it is safe against token buckets only.

import { firstInstant } from "../clock/first-instant.ts";
import { ceilWithTolerance } from "./ceil-with-tolerance.ts";
import { RunningMinimum } from "./running-minimum.ts";
import type { Tracker } from "./tracker.ts";

/** Tracker for servers that enforce a token bucket of at least this burst; constant memory, O(1). */
export class TokenBucket implements Tracker {
  capacity: number;
  usedNow = 0;
  unchangedUntil: number = Infinity;
  /** The latest instant that a caller passed. */
  #latest = -Infinity;
  #limit: number;
  readonly #window: number;
  // Debt x window at #recordedAt.
  #debt = 0;
  #recordedAt = 0;
  #minima = new RunningMinimum();

  /** `limit` and `burst`: whole numbers. `windowMs`: above 0. */
  constructor(limit: number, windowMs: number, burst: number) {
    this.capacity = burst;
    this.#limit = limit;
    this.#window = windowMs;
  }

  get refillPerMs(): number {
    return this.#limit / this.#window;
  }

  used(now: number): number {
    if (now > this.#latest) this.#latest = now;
    this.usedNow = this.#usedAt(this.#latest);
    return this.usedNow;
  }

  record(amount: number, now: number): void {
    if (amount <= 0) return;
    const debt = this.#debtNow(now);
    this.#minima.note(this.#latest, debt);
    this.#setDebt(Math.min(debt + amount * this.#window, this.#maxDebt()));
  }

  releasedBy(atMs: number, now: number): number {
    return this.used(now) - this.#usedAt(Math.max(atMs, this.#latest));
  }

  releaseAt(amount: number, now: number): number {
    const target = this.used(now) - amount;
    if (amount <= 0) return this.#latest;
    if (target < 0 || this.#limit === 0) return Infinity;
    const paidAt = this.#latest + (this.#debtNow(now) - target * this.#window) / this.#limit;
    return firstInstant(paidAt, (at) => this.#usedAt(at) <= target);
  }

  forgottenAt(): number {
    return Infinity;
  }

  resize(limit: number, burst: number, now: number): void {
    if (limit === this.#limit && burst === this.capacity) return;
    const debt = this.#uncappedDebt(now);
    this.capacity = burst;
    this.#limit = limit;
    this.#setDebt(debt);
  }

  amend(delta: number, countedAt: number, now: number): void {
    const debt = this.#uncappedDebt(now);
    const refund = Math.min(-delta * this.#window, this.#minima.since(countedAt), debt);
    if (refund > 0) this.#minima.lower(refund, countedAt);
    this.#setDebt(debt - refund);
  }

  copy(): TokenBucket {
    const copy = new TokenBucket(this.#limit, this.#window, this.capacity);
    copy.#debt = this.#debt;
    copy.#recordedAt = this.#recordedAt;
    copy.#minima = this.#minima.copy();
    copy.usedNow = this.usedNow;
    copy.unchangedUntil = this.unchangedUntil;
    copy.#latest = this.#latest;
    return copy;
  }

  /** The debt as an amount. */
  save(now: number): number[] {
    return [this.#uncappedDebt(now) / this.#window];
  }

  restore([debt = 0]: readonly number[], open: number, openAt: number, savedAt: number): void {
    this.#latest = savedAt;
    this.#setDebt(Math.min(ceilWithTolerance(debt * this.#window, 4), this.#maxDebt()));
    this.record(open, openAt);
  }

  #debtNow(now: number): number {
    if (now > this.#latest) this.#latest = now;
    return this.#debtAt(this.#latest);
  }

  #setDebt(debt: number): void {
    this.#debt = debt;
    this.#recordedAt = this.#latest;
    this.usedNow = 0;
    // A debt above 0 falls at every instant.
    this.unchangedUntil = debt === 0 ? Infinity : -Infinity;
  }

  #debtAt(at: number): number {
    return this.#debt === 0 ? 0 : Math.max(0, Math.min(this.#debt, this.#maxDebt()) - this.#paidAt(at));
  }

  /** Debt without the upper limit: a later resize or refund can make the excess count again. */
  #uncappedDebt(now: number): number {
    this.#debtNow(now);
    return Math.max(0, this.#debt - this.#paidAt(this.#latest));
  }

  #paidAt(at: number): number {
    return this.#limit === 0 ? 0 : (at - this.#recordedAt) * this.#limit;
  }

  #maxDebt(): number {
    return 2 * this.capacity * this.#window;
  }

  #usedAt(at: number): number {
    return ceilWithTolerance(this.#debtAt(at) / this.#window, 4);
  }
}
