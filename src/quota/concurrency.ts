import type { Tracker } from "./tracker.ts";

/** Tracker of a concurrency limit. Recorded amounts are never released; the quota itself counts the reservations of leases. */
export class Concurrency implements Tracker {
  capacity: number;
  readonly refillPerMs = 0;
  usedNow: number = 0;
  readonly unchangedUntil: number = Infinity;

  /** `capacity`: a whole number. */
  constructor(capacity: number) {
    this.capacity = capacity;
  }

  used(): number {
    return this.usedNow;
  }

  record(amount: number): void {
    this.usedNow = Math.min(this.usedNow + amount, Number.MAX_SAFE_INTEGER);
  }

  releasedBy(): number {
    return 0;
  }

  releaseAt(amount: number, now: number): number {
    return amount <= 0 ? now : Infinity;
  }

  forgottenAt(): number {
    return Infinity;
  }

  resize(_limit: number, capacity: number): void {
    this.capacity = capacity;
  }
}
