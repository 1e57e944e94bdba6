// The token bucket of the Rust and Python engines, in Python's arithmetic to the last bit.
//
//   refill:  add = elapsed x limit / window, one rounding;  if add > 0: tokens = min(tokens + add, limit), the instant
//            moves on, and if a window has passed since `start`: consumed = 0, start = now
//   record:  refill; tokens = max(0, tokens - a); consumed += a        used = limit - floor(tokens)
//   burn     = consumed / (now - start) per second, 0 in the first millisecond
//
// Regimes: it starts full, so its first window may pass twice the limit. Reads refill too, so reading often changes the
// last bits of `tokens`, and with them now and then the floor: what agrees with the ports must ask what they ask.
// Source: the behaviour of grate-limiter 0.1.1 for Python.

import { firstInstant } from "../clock/first-instant.ts";
import type { Tracker } from "../quota/tracker.ts";

/** The classic profile's tracker, and its own burn meter. */
export class ClassicBucket implements Tracker {
  capacity: number;
  readonly usedNow = 0;
  // Reading refills the bucket, which shows in the last bits: every reader has to call `used`.
  readonly unchangedUntil: number = -Infinity;
  readonly bound = 0;
  readonly #window: number;
  #tokens: number;
  #refilledAt: number;
  #consumed = 0;
  #startedAt: number;

  /** Whole `limit`; whole `windowMs`; full at `now`. */
  constructor(limit: number, windowMs: number, now: number) {
    this.capacity = limit;
    this.#window = windowMs;
    this.#tokens = limit;
    this.#refilledAt = now;
    this.#startedAt = now;
  }

  used(now: number): number {
    this.#refill(now);
    return this.capacity - Math.floor(this.#tokens);
  }

  record(amount: number, now: number): void {
    this.#refill(now);
    this.#tokens = Math.max(0, this.#tokens - amount);
    this.#consumed += amount;
  }

  releasedBy(atMs: number, now: number): number {
    const used = this.used(now);
    const tokens = Math.min(this.#tokens + this.#refillOf(atMs - this.#refilledAt), this.capacity);
    return used - (this.capacity - Math.floor(tokens));
  }

  releaseAt(amount: number, now: number): number {
    if (amount > this.used(now)) return Infinity;
    const missing = this.capacity - this.used(now) + amount - this.#tokens;
    if (amount <= 0 || missing <= 0) return now;
    return firstInstant(this.#refilledAt + missing / this.refillPerMs, (at) => this.releasedBy(at, now) >= amount);
  }

  forgottenAt(): number {
    return Infinity;
  }

  resize(_limit: number, capacity: number, now: number): void {
    this.#refill(now);
    this.#tokens = Math.max(0, this.#tokens + capacity - this.capacity);
    this.capacity = capacity;
  }

  get refillPerMs(): number {
    return this.capacity / this.#window;
  }

  /** What it records is what it burns. */
  count(): void {}

  /** Average use since the burn window started; does not refill. */
  perSecond(now: number): number {
    const seconds = (now - this.#startedAt) / 1_000;
    return seconds < 0.001 ? 0 : this.#consumed / seconds;
  }

  #refill(now: number): void {
    const add = this.#refillOf(now - this.#refilledAt);
    if (add <= 0) return;
    this.#refilledAt = now;
    this.#tokens = Math.min(this.#tokens + add, this.capacity);
    if (now - this.#startedAt >= this.#window) {
      this.#consumed = 0;
      this.#startedAt = now;
    }
  }

  /** `elapsed x limit / window`, rounded once, also where the product is more than a double counts exactly. */
  #refillOf(elapsed: number): number {
    const product = elapsed * this.capacity;
    if (product <= Number.MAX_SAFE_INTEGER || !Number.isInteger(elapsed)) return product / this.#window;
    const scaled = (BigInt(elapsed) * BigInt(this.capacity)) << 64n;
    // No window is so long that a quotient could lie less than 2^-64 above a tie.
    return Number(scaled / BigInt(this.#window)) / 2 ** 64;
  }
}
