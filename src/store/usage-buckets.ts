// Usage of one quota in the store.
//
//   window:  an amount at t counts in the bucket that ends at t rounded up to window / 512, until a window after that end
//   fixed:   an amount at t counts until the reset after t
//
// Regimes: wall clocks of hosts differ, so that they state different instants of one reset. Usage counts until the latest of
// them has come, and what was used since the earliest counts in the next period, too. A correction lowers the bucket of its
// instant and then the two before it, never below 0, because what it corrects can be in an earlier one by the delays of the
// two messages.

import type { StoreQuota, StoreUsage } from "../api/store.ts";

const RESOLUTION = 512;
const CORRECTED_BUCKETS = 3;

/** Amounts by bucket. */
export class UsageBuckets {
  used = 0;
  #windowMs: number;
  #bucketMs: number;
  readonly #isFixed: boolean;
  /** Buckets by the instant of their end, the oldest first. */
  #buckets: { readonly end: number; amount: number }[] = [];
  /** Earliest and latest instant that was stated for the next reset; 0: none was stated. */
  #resetFrom = 0;
  #resetBy = 0;

  constructor({ kind, windowMs }: StoreQuota) {
    this.#isFixed = kind === "fixed";
    this.#windowMs = windowMs;
    this.#bucketMs = Math.max(1, Math.ceil(windowMs / RESOLUTION));
  }

  /** Notes what a message says about the window, and drops what no longer counts. */
  update({ windowMs, resetInMs }: StoreQuota, now: number): void {
    this.#windowMs = windowMs;
    if (this.#isFixed) this.#updateReset(now + resetInMs, now);
    const horizon = this.#isFixed ? -Infinity : now - windowMs;
    while (this.#buckets.length > 0 && this.#buckets[0]!.end <= horizon) this.used -= this.#buckets.shift()!.amount;
  }

  add(usage: readonly StoreUsage[], now: number): void {
    for (const [ageMs, amount] of usage) {
      const end = Math.ceil((now - ageMs) / this.#bucketMs) * this.#bucketMs;
      if (!this.#isFixed && end <= now - this.#windowMs) continue;
      if (amount > 0) this.#addTo(end, amount);
      else this.#correct(end, -amount);
    }
  }

  /** Instant at which at least `amount` no longer counts; Infinity: that is more than all. */
  releaseAt(amount: number): number {
    let released = 0;
    for (const { end, amount: part } of this.#buckets) {
      released += part;
      if (released >= amount) return this.#isFixed ? this.#resetBy : end + this.#windowMs;
    }
    return Infinity;
  }

  #updateReset(at: number, now: number): void {
    if (this.#resetBy > 0 && now >= this.#resetBy) {
      for (const bucket of this.#buckets) if (bucket.end < this.#resetFrom) this.used -= bucket.amount;
      this.#buckets = this.#buckets.filter(({ end }) => end >= this.#resetFrom);
      this.#resetBy = 0;
    }
    if (this.#resetBy === 0) this.#resetFrom = this.#resetBy = at;
    else if (Math.abs(at - this.#resetBy) < this.#windowMs / 2) {
      this.#resetFrom = Math.min(this.#resetFrom, at);
      this.#resetBy = Math.max(this.#resetBy, at);
    }
  }

  #addTo(end: number, amount: number): void {
    let place = this.#buckets.length;
    while (place > 0 && this.#buckets[place - 1]!.end > end) place--;
    const bucket = this.#buckets[place - 1];
    if (bucket?.end === end) bucket.amount += amount;
    else this.#buckets.splice(place, 0, { end, amount });
    this.used += amount;
  }

  #correct(end: number, amount: number): void {
    let place = this.#buckets.length - 1;
    while (place >= 0 && this.#buckets[place]!.end > end) place--;
    for (let rest = amount, i = 0; i < CORRECTED_BUCKETS && place >= 0 && rest > 0; i++, place--) {
      const bucket = this.#buckets[place]!;
      const part = Math.min(bucket.amount, rest);
      bucket.amount -= part;
      this.used -= part;
      rest -= part;
    }
  }
}
