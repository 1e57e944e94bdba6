// A bucket that holds `burst` and refills `limit` per window, evenly.
//
//   level(t) = min(burst, level(t0) + (t - t0) x limit / window)      level at the last record, t0: ms
//   used(t)  = burst - level(t), rounded up;  record(a): level -= a
//
// Regimes: the level is kept times the window, so that whole ms and amounts make whole numbers, exact up to 2^53; it is a
// function of the last record, never of reads, so reading often adds no rounding. It may fall below 0, where more was used
// than the bucket held, but by at most one burst: a debt is paid off in bounded time.
// As a client it sends up to burst + limit in one window, so it is safe against token buckets only.
import { firstInstant } from "../clock/first-instant.ts";
import type { Tracker } from "./tracker.ts";

/** For servers that enforce a token bucket of at least this burst; constant memory, O(1). */
export class TokenBucket implements Tracker {
  capacity: number;
  #limit: number;
  readonly #window: number;
  // Level x window.
  #level: number;
  #at = Number.NEGATIVE_INFINITY;
  #latest = Number.NEGATIVE_INFINITY;

  /** Whole `limit` per `windowMs` > 0, and whole `burst`. */
  constructor(limit: number, windowMs: number, burst: number) {
    this.capacity = burst;
    this.#limit = limit;
    this.#window = windowMs;
    this.#level = burst * windowMs;
  }

  get refillPerMs(): number {
    return this.#limit / this.#window;
  }

  used(now: number): number {
    if (now > this.#latest) this.#latest = now;
    return this.#usedAt(this.#latest);
  }

  record(amount: number, now: number): void {
    if (amount > 0) this.#setLevel(this.#levelNow(now) - amount * this.#window);
  }

  releasedBy(atMs: number, now: number): number {
    return this.used(now) - this.#usedAt(Math.max(atMs, this.#latest));
  }

  releaseAt(amount: number, now: number): number {
    const used = this.used(now);
    if (amount > used) return Number.POSITIVE_INFINITY;
    const missing = (this.capacity - used + amount) * this.#window - this.#levelNow(now);
    if (amount <= 0 || missing <= 0) return this.#latest;
    if (this.#limit === 0) return Number.POSITIVE_INFINITY;
    return firstInstant(this.#latest + missing / this.#limit, (at) => this.#usedAt(at) <= used - amount);
  }

  forgottenAt(): number {
    return Number.POSITIVE_INFINITY;
  }

  resize(limit: number, burst: number, now: number): void {
    const level = this.#levelNow(now) + (burst - this.capacity) * this.#window;
    this.capacity = burst;
    this.#limit = limit;
    this.#setLevel(level);
  }

  #levelNow(now: number): number {
    if (now > this.#latest) this.#latest = now;
    return this.#levelAt(this.#latest);
  }

  #setLevel(level: number): void {
    this.#level = Math.max(-this.capacity * this.#window, level);
    this.#at = this.#latest;
  }

  #levelAt(at: number): number {
    const full = this.capacity * this.#window;
    // A full bucket has no instant from which it refills.
    return this.#level >= full ? full : Math.min(full, this.#level + (at - this.#at) * this.#limit);
  }

  #usedAt(at: number): number {
    return this.capacity - Math.floor(this.#levelAt(at) / this.#window);
  }
}
