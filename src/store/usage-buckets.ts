// Usage of one quota in the store.
//
//   bucket(t) = t rounded up to window / 512        t: instant of an amount (ms of the store's clock)
//   window:  a bucket counts until a window after its end
//   fixed:   a bucket counts until the reset after it
//
// Regimes: wall clocks of hosts differ, so hosts state different instants of one reset. Usage counts until the latest of
// them, and usage since the earliest of them counts in the next period, too. A reset that is stated less than half a window
// after the last one is the last one, stated by a slow clock. A correction lowers the bucket of its instant and then the two
// before it, never below 0, because delays of messages differ. The rest of a correction is dropped.

import type { StoreQuota, StoreUsage } from "../api/store.ts";

const RESOLUTION = 512;
const CORRECTED_BUCKETS = 3;
const MOST_WALKED = 128;

/** Amounts by bucket, and the totals of the quota. */
export class UsageBuckets {
  /** Usage that counts. */
  used = 0;
  /** Amount that all processes hold. */
  held = 0;
  /** Amount of dead processes that becomes usage with the next message that names the quota. */
  inherited = 0;
  /** Window of the log (ms): the longest that was stated while it had entries. 0: places. */
  windowMs = 0;
  #buckets: { readonly end: number; amount: number }[] = [];
  // Earliest and latest instant that was stated for the next reset (0: none), and the earliest one of the last reset.
  #resetFrom = 0;
  #resetBy = 0;
  #keptFrom = 0;

  /** Applies the window or the resets of a message, and drops usage that no longer counts. */
  update({ kind, windowMs, resetInMs }: StoreQuota, now: number): void {
    if (kind === "places") return;
    this.windowMs = this.used === 0 ? windowMs : Math.max(this.windowMs, windowMs);
    if (kind === "fixed") {
      if (this.#resetBy > 0 && now >= this.#resetBy) {
        const from = this.#resetFrom;
        this.#drop((end) => end < from);
        this.#keptFrom = from;
        this.#resetFrom = this.#resetBy = 0;
      }
      this.#stateReset(now + resetInMs, windowMs);
    } else {
      const horizon = now - this.windowMs;
      this.#drop((end) => end <= horizon);
    }
  }

  /** Counts amounts. `quota`: as the message states it. */
  add(usage: readonly StoreUsage[], { kind, windowMs }: StoreQuota, now: number): void {
    const bucketMs = Math.max(1, Math.ceil(windowMs / RESOLUTION));
    for (const [ageMs, amount] of usage) {
      const end = Math.ceil((now - Math.max(0, ageMs)) / bucketMs) * bucketMs;
      if (kind === "fixed" ? end < this.#keptFrom : end <= now - this.windowMs) continue;
      if (amount > 0) this.#addTo(end, amount);
      else this.#correct(end, -amount, bucketMs);
    }
  }

  /**
   * Instant by which at least `amount` no longer counts. NaN: nothing counts. The log is searched for 128 buckets. If that is
   * not enough, because more is held or the log is longer, the instant of the last one is returned.
   */
  releaseAt(amount: number, { kind }: StoreQuota): number {
    if (kind === "fixed") return this.used > 0 ? this.#resetBy : NaN;
    let released = 0;
    let at = NaN;
    for (let i = 0; i < Math.min(MOST_WALKED, this.#buckets.length) && released < amount; i++) {
      released += this.#buckets[i]!.amount;
      at = this.#buckets[i]!.end + this.windowMs;
    }
    return at;
  }

  #stateReset(at: number, windowMs: number): void {
    if (this.#resetBy === 0) {
      const isLastOne = this.#keptFrom > 0 && at - this.#keptFrom < windowMs / 2;
      this.#resetFrom = this.#resetBy = isLastOne ? at + windowMs : at;
    } else if (Math.abs(at - this.#resetBy) < windowMs / 2) {
      this.#resetFrom = Math.min(this.#resetFrom, at);
      this.#resetBy = Math.max(this.#resetBy, at);
    }
  }

  #drop(isOver: (end: number) => boolean): void {
    let dropped = 0;
    while (dropped < this.#buckets.length && isOver(this.#buckets[dropped]!.end)) {
      this.used -= this.#buckets[dropped++]!.amount;
    }
    if (dropped > 0) this.#buckets.splice(0, dropped);
  }

  /** Index of the first bucket that ends at `end` or later. */
  #indexOf(end: number): number {
    let index = this.#buckets.length;
    while (index > 0 && this.#buckets[index - 1]!.end >= end) index--;
    return index;
  }

  #addTo(end: number, amount: number): void {
    const index = this.#indexOf(end);
    const bucket = this.#buckets[index];
    if (bucket?.end === end) bucket.amount += amount;
    else this.#buckets.splice(index, 0, { end, amount });
    this.used += amount;
  }

  #correct(end: number, amount: number, bucketMs: number): void {
    let rest = amount;
    for (let i = 0; i < CORRECTED_BUCKETS && rest > 0; i++) {
      const index = this.#indexOf(end - i * bucketMs);
      const bucket = this.#buckets[index];
      if (bucket === undefined || bucket.end !== end - i * bucketMs) continue;
      const part = Math.min(bucket.amount, rest);
      bucket.amount -= part;
      this.used -= part;
      rest -= part;
      if (bucket.amount === 0) this.#buckets.splice(index, 1);
    }
  }
}
