import { newQuotaState, type QuotaState, USED } from "./quota-state.ts";
import type { Tracker } from "./tracker.ts";

/** Counts places that are taken; only `release` gives one back, time never does. */
export class Concurrency implements Tracker {
  capacity: number;
  readonly refillPerMs = 0;
  readonly state: QuotaState;

  /** Whole number of places. */
  constructor(capacity: number, state: QuotaState = newQuotaState()) {
    this.state = state;
    this.capacity = capacity;
  }

  used(): number {
    return this.state[USED]!;
  }

  record(amount: number): void {
    this.state[USED] = Math.min(this.state[USED]! + amount, Number.MAX_SAFE_INTEGER);
  }

  /** Gives places back; never more than are taken. */
  release(amount: number): void {
    this.state[USED] = Math.max(0, this.state[USED]! - amount);
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

  resize(_limit: number, capacity: number): void {
    this.capacity = capacity;
  }
}
