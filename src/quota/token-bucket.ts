// A bucket that holds `burst` and refills `limit` per window, evenly.
//
//   level(t) = min(burst, level(t0) + (t - t0) x limit / window)      level at the last record, t0: ms
//   used(t)  = burst - level(t), rounded up;  record(a): level -= a
//
// Regimes: the level is a function of the last record, never of reads, so reading often adds no rounding. It may fall
// below 0, where more was used than the bucket held, but by at most one burst: a debt is paid off in bounded time.
// As a client it sends up to burst + limit in one window, so it is safe against token buckets only.
import type { Tracker } from "./tracker.ts";

/** For servers that enforce a token bucket of at least this burst; constant memory, O(1). */
export class TokenBucket implements Tracker {
  readonly capacity: number;
  readonly #refillPerMs: number;
  #level: number;
  #at = Number.NEGATIVE_INFINITY;
  #latest = Number.NEGATIVE_INFINITY;

  /** Whole `limit` per `windowMs` > 0, and whole `burst`. */
  constructor(limit: number, windowMs: number, burst: number) {
    this.capacity = burst;
    this.#refillPerMs = limit / windowMs;
    this.#level = burst;
  }

  used(now: number): number {
    if (now > this.#latest) this.#latest = now;
    return this.#usedAt(this.#latest);
  }

  record(amount: number, now: number): void {
    if (amount <= 0) return;
    if (now > this.#latest) this.#latest = now;
    this.#level = Math.max(-this.capacity, this.#levelAt(this.#latest) - amount);
    this.#at = this.#latest;
  }

  releasedBy(atMs: number, now: number): number {
    return this.used(now) - this.#usedAt(Math.max(atMs, this.#latest));
  }

  releaseAt(amount: number, now: number): number {
    const used = this.used(now);
    if (amount <= 0) return this.#latest;
    if (amount > used || this.#refillPerMs === 0) return Number.POSITIVE_INFINITY;
    const level = this.capacity - used + amount;
    const wait = (level - this.#levelAt(this.#latest)) / this.#refillPerMs;
    let at = this.#latest + wait;
    // The quotient may round to just before the whole token.
    for (let step = Number.EPSILON; this.#usedAt(at) > used - amount; step *= 2) at += Math.max(at, wait) * step;
    return at;
  }

  exhaustedAt(burnPerSecond: number, now: number): number {
    if (this.used(now) >= this.capacity) return this.#latest;
    const net = burnPerSecond / 1_000 - this.#refillPerMs;
    return net > 0 ? this.#latest + this.#levelAt(this.#latest) / net : Number.POSITIVE_INFINITY;
  }

  knownResetAt(): null {
    return null;
  }

  carry(other: Tracker): boolean {
    if (!(other instanceof TokenBucket)) return false;
    this.#latest = other.#latest;
    this.#at = other.#latest;
    this.#level = Math.max(-this.capacity, this.capacity - (other.capacity - other.#levelAt(other.#latest)));
    return true;
  }

  #levelAt(at: number): number {
    if (this.#level >= this.capacity) return this.capacity;
    return Math.min(this.capacity, this.#level + (at - this.#at) * this.#refillPerMs);
  }

  #usedAt(at: number): number {
    return this.capacity - Math.floor(this.#levelAt(at));
  }
}
