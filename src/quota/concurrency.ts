import type { Tracker } from "./tracker.ts";

/** Counts places that are taken; only `release` gives one back, time never does. */
export class Concurrency implements Tracker {
  capacity: number;
  readonly refillPerMs = 0;
  #taken = 0;

  /** Whole number of places. */
  constructor(capacity: number) {
    this.capacity = capacity;
  }

  used(): number {
    return this.#taken;
  }

  record(amount: number): void {
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
    return amount <= 0 ? now : Number.POSITIVE_INFINITY;
  }

  forgottenAt(): number {
    return Number.POSITIVE_INFINITY;
  }

  steadyUntil(): number {
    return Number.POSITIVE_INFINITY;
  }

  resize(_limit: number, capacity: number): void {
    this.capacity = capacity;
  }
}
