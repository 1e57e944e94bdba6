// A bucket that holds `burst` and refills `limit` per window, evenly.
//
//   debt(t) = max(0, debt(t0) - (t - t0) x limit / window)      what is missing to full at the last record, t0: ms
//   used(t) = debt(t), rounded up;  record(a): debt += a
//
// Regimes: the debt is kept times the window, so that whole ms and amounts make whole numbers, exact up to 2^53; it is a
// function of the last record, never of reads, so reading often adds no rounding. It may exceed the burst, where more was
// used than the bucket held, but by at most one burst more: it is paid off in bounded time.
// An amount that turns out smaller is given back as far as the bucket would not have overflowed with it since (lows.ts).
// As a client it sends up to burst + limit in one window, so it is safe against token buckets only.

import { firstInstant } from "../clock/first-instant.ts";
import { ceilWithTolerance } from "./ceil-with-tolerance.ts";
import { RunningMinimum } from "./running-minimum.ts";
import type { Tracker } from "./tracker.ts";

/** For servers that enforce a token bucket of at least this burst; constant memory, O(1). */
export class TokenBucket implements Tracker {
  capacity: number;
  usedNow = 0;
  unchangedUntil: number = Infinity;
  /** The latest instant given. */
  #latest = -Infinity;
  #limit: number;
  readonly #window: number;
  // Debt x window.
  #debt = 0;
  #at = 0;
  #lows = new RunningMinimum();

  /** Whole `limit` per `windowMs` > 0, and whole `burst`. */
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
    this.#lows.note(this.#latest, debt);
    this.#setDebt(Math.min(debt + amount * this.#window, this.#most()));
  }

  releasedBy(atMs: number, now: number): number {
    return this.used(now) - this.#usedAt(Math.max(atMs, this.#latest));
  }

  releaseAt(amount: number, now: number): number {
    const left = this.used(now) - amount;
    if (amount <= 0) return this.#latest;
    if (left < 0 || this.#limit === 0) return Infinity;
    const paidAt = this.#latest + (this.#debtNow(now) - left * this.#window) / this.#limit;
    return firstInstant(paidAt, (at) => this.#usedAt(at) <= left);
  }

  forgottenAt(): number {
    return Infinity;
  }

  resize(limit: number, burst: number, now: number): void {
    if (limit === this.#limit && burst === this.capacity) return;
    const debt = this.#wholeDebt(now);
    this.capacity = burst;
    this.#limit = limit;
    this.#setDebt(debt);
  }

  amend(delta: number, stamp: number, now: number): void {
    const debt = this.#wholeDebt(now);
    const back = Math.min(-delta * this.#window, this.#lows.since(stamp), debt);
    if (back > 0) this.#lows.lower(back, stamp);
    this.#setDebt(debt - back);
  }

  copy(): TokenBucket {
    const copy = new TokenBucket(this.#limit, this.#window, this.capacity);
    copy.#debt = this.#debt;
    copy.#at = this.#at;
    copy.#lows = this.#lows.copy();
    copy.usedNow = this.usedNow;
    copy.unchangedUntil = this.unchangedUntil;
    copy.#latest = this.#latest;
    return copy;
  }

  #debtNow(now: number): number {
    if (now > this.#latest) this.#latest = now;
    return this.#debtAt(this.#latest);
  }

  #setDebt(debt: number): void {
    this.#debt = debt;
    this.#at = this.#latest;
    this.usedNow = 0;
    // It falls at every instant.
    this.unchangedUntil = debt === 0 ? Infinity : -Infinity;
  }

  #debtAt(at: number): number {
    return this.#debt === 0 ? 0 : Math.max(0, Math.min(this.#debt, this.#most()) - this.#paidAt(at));
  }

  /** Also what is above the most that counts: a limit may be raised again, an amount turn out smaller. */
  #wholeDebt(now: number): number {
    this.#debtNow(now);
    return Math.max(0, this.#debt - this.#paidAt(this.#latest));
  }

  #paidAt(at: number): number {
    return this.#limit === 0 ? 0 : (at - this.#at) * this.#limit;
  }

  #most(): number {
    return 2 * this.capacity * this.#window;
  }

  #usedAt(at: number): number {
    return ceilWithTolerance(this.#debtAt(at) / this.#window, 4);
  }
}
