// Token bucket of the Rust and Python packages ("the ports"), in Python's arithmetic to the last bit.
//
//   refill:  add = elapsed x limit / window, rounded once;  if add > 0: tokens = min(tokens + add, limit), refilled at now,
//            and if a window has passed since `start`: consumed = 0, start = now
//   record:  refill; tokens = max(0, tokens - a); consumed += a        used = limit - floor(tokens)
//   burn     = consumed / (now - start) per second, 0 in the first millisecond
//
// Regimes: the bucket starts full, so its first window might pass twice the limit. Reads refill too. A read can therefore
// change the last bits of `tokens`, and sometimes the floor: equal answers need the same calls as in the ports.
// Source: the behaviour of grate-limiter 0.1.1 for Python.

import { firstInstant } from "../clock/first-instant.ts";
import type { Tracker } from "../quota/tracker.ts";

/** Tracker of the classic profile, and burn meter of the same quota. */
export class ClassicBucket implements Tracker {
  capacity: number;
  readonly usedNow = 0;
  // Reading refills the bucket, which changes the last bits, so every reader has to call `used`.
  readonly unchangedUntil: number = -Infinity;
  readonly bound = 0;
  readonly #window: number;
  #tokens: number;
  #refilledAt: number;
  #consumed = 0;
  #startedAt: number;

  /** `limit` and `windowMs`: whole numbers. The bucket is full at `now`. */
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

  /** Does nothing, because `record` counts the consumption already. */
  count(): void {}

  /** Average consumption per second since the start of the burn window. Does not refill. */
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

  /** Returns `elapsed x limit / window`, rounded once, even if the product exceeds the largest exact integer. */
  #refillOf(elapsed: number): number {
    const product = elapsed * this.capacity;
    if (product <= Number.MAX_SAFE_INTEGER || !Number.isInteger(elapsed)) return product / this.#window;
    const scaled = (BigInt(elapsed) * BigInt(this.capacity)) << 64n;
    // 64 more bits suffice: no window is so long that a quotient is less than 2^-64 above a tie.
    return Number(scaled / BigInt(this.#window)) / 2 ** 64;
  }
}
