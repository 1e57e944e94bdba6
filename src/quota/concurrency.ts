import type { Tracker } from "./tracker.ts";

/**
 * Tracker of a concurrency limit. Recorded amounts are never released; the quota itself counts the reservations of leases.
 * Places that a previous process held are released at an instant that `restore` sets.
 */
export class Concurrency implements Tracker {
  capacity: number;
  readonly refillPerMs = 0;
  usedNow: number = 0;
  /** When the places of a previous process are released. */
  unchangedUntil: number = Infinity;
  /** Number of those places. */
  #previous = 0;

  /** `capacity`: a whole number. */
  constructor(capacity: number) {
    this.capacity = capacity;
  }

  used(now: number): number {
    if (now >= this.unchangedUntil) {
      this.usedNow -= this.#previous;
      this.#previous = 0;
      this.unchangedUntil = Infinity;
    }
    return this.usedNow;
  }

  record(amount: number): void {
    this.usedNow = Math.min(this.usedNow + amount, Number.MAX_SAFE_INTEGER);
  }

  releasedBy(atMs: number, now: number): number {
    this.used(now);
    return atMs >= this.unchangedUntil ? this.#previous : 0;
  }

  releaseAt(amount: number, now: number): number {
    this.used(now);
    if (amount <= 0) return now;
    return amount <= this.#previous ? this.unchangedUntil : Infinity;
  }

  forgottenAt(): number {
    return Infinity;
  }

  resize(_limit: number, capacity: number): void {
    this.capacity = capacity;
  }

  /** The places of a previous process, and the time until they are released. */
  save(now: number): number[] {
    this.used(now);
    return this.#previous === 0 ? [0, 0] : [this.#previous, this.unchangedUntil - now];
  }

  /** `openAt`: when the open places are released. */
  restore([held = 0, heldMs = 0]: readonly number[], open: number, openAt: number, savedAt: number, now: number): void {
    this.#previous = Math.min(Math.ceil(held) + open, Number.MAX_SAFE_INTEGER);
    this.usedNow = this.#previous;
    this.unchangedUntil = Math.max(held > 0 ? savedAt + heldMs : savedAt, open > 0 ? openAt : savedAt);
    this.used(now);
  }
}
