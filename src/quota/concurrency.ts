import { newQuotaState, type QuotaState, USED } from "./quota-state.ts";
import type { Tracker } from "./tracker.ts";

/** Counts places that are taken for good: those that leases hold, and give back, are counted by who draws from it. */
export class Concurrency implements Tracker {
  capacity: number;
  readonly refillPerMs = 0;
  readonly state: QuotaState = newQuotaState();

  /** Whole number of places. */
  constructor(capacity: number) {
    this.capacity = capacity;
  }

  used(): number {
    return this.state[USED]!;
  }

  record(amount: number): void {
    this.state[USED] = Math.min(this.state[USED]! + amount, Number.MAX_SAFE_INTEGER);
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
