import type { Tracker } from "./tracker.ts";

/** Counts places that are taken; only `release` gives one back, time never does. */
export class Concurrency implements Tracker {
  readonly capacity: number;
  #taken = 0;
  #latest = Number.NEGATIVE_INFINITY;

  /** Whole number of places. */
  constructor(capacity: number) {
    this.capacity = capacity;
  }

  used(now: number): number {
    if (now > this.#latest) this.#latest = now;
    return this.#taken;
  }

  record(amount: number, now: number): void {
    if (now > this.#latest) this.#latest = now;
    this.#taken = Math.min(this.#taken + amount, Number.MAX_SAFE_INTEGER);
  }

  /** Gives places back; never more than are taken. */
  release(amount: number): void {
    this.#taken = Math.max(0, this.#taken - amount);
  }

  releasedBy(): number {
    return 0;
  }

  releaseAt(amount: number, now: number): number {
    if (now > this.#latest) this.#latest = now;
    return amount <= 0 ? this.#latest : Number.POSITIVE_INFINITY;
  }

  exhaustedAt(_burnPerSecond: number, now: number): number {
    return this.used(now) >= this.capacity ? this.#latest : Number.POSITIVE_INFINITY;
  }

  knownResetAt(): null {
    return null;
  }

  carry(other: Tracker): boolean {
    if (!(other instanceof Concurrency)) return false;
    this.#taken = other.#taken;
    this.#latest = other.#latest;
    return true;
  }
}
