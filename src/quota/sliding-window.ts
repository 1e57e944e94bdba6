// The default tracker: a log of what was used in the last window, coalesced into a ring.
//
//   used(t) = sum of all entries with last > t - window
//   an amount at t joins the newest entry if t - first < window / RESOLUTION, else it opens a new one
//
//   first, last: instants of an entry's earliest and latest amount (ms); window: ms; amounts: whole
//
// Regimes: entries further apart than window / RESOLUTION are exact. Denser ones share an entry, which goes as a whole
// when its latest amount is a window old: an amount is released at most window / RESOLUTION (0.2 %) late, never early,
// so the count is never below the true sliding count, and there are never more than RESOLUTION + 2 entries.
// Source: "coalescing ring log"; safe against fixed windows of any phase, sliding logs, and token buckets of at least
// this capacity, because every interval of one window holds at most the limit.

import { firstInstant } from "../clock/first-instant.ts";
import type { Tracker } from "./tracker.ts";

const RESOLUTION = 512;
const FIRST_SLOTS = 4;

/** Never under-counts; O(1) amortised; memory grows with use to at most 514 entries. */
export class SlidingWindow implements Tracker {
  capacity: number;
  readonly refillPerMs = 0;
  usedNow = 0;
  unchangedUntil: number = Infinity;
  /** The latest instant given. */
  #latest = -Infinity;
  /** Instant at which the newest entry was opened. */
  #openedAt = -Infinity;
  readonly #window: number;
  readonly #quantum: number;
  // Ring of entries, oldest at #head: two numbers each, the latest instant and the amount.
  #ring: Float64Array = new Float64Array(0);
  #head = 0;
  #length = 0;
  // How far the last look ahead came, and the sum of the entries up to there: the next one goes on from it.
  #ahead = 0;
  #aheadSum = 0;
  // The next one needs no entry while it ends before this instant and not before that of the last, and nothing changed.
  #aheadFrom = Infinity;
  #aheadTo = -Infinity;

  /** `capacity` whole; `windowMs` > 0. */
  constructor(capacity: number, windowMs: number) {
    this.capacity = capacity;
    this.#window = windowMs;
    this.#quantum = windowMs / RESOLUTION;
  }

  used(now: number): number {
    this.#expire(now);
    return this.usedNow;
  }

  record(amount: number, now: number): void {
    if (amount <= 0) return;
    if (now >= this.unchangedUntil) this.#expire(now);
    if (now > this.#latest) this.#latest = now;
    this.#add(amount, this.#latest);
  }

  releasedBy(atMs: number, now: number): number {
    const horizon = atMs - this.#window;
    if (now < this.unchangedUntil && horizon >= this.#aheadFrom && horizon < this.#aheadTo) return this.#aheadSum;
    this.#expire(now);
    if (this.usedNow > Number.MAX_SAFE_INTEGER) this.#lookAgain();
    // Walking all of it at every select took half the time of one whose windows are full.
    while (this.#ahead < this.#length && this.#lastOf(this.#ahead) <= horizon) {
      this.#aheadSum += this.#amountOf(this.#ahead++);
    }
    while (this.#ahead > 0 && this.#lastOf(this.#ahead - 1) > horizon) {
      this.#aheadSum -= this.#amountOf(--this.#ahead);
    }
    this.#aheadFrom = horizon;
    this.#aheadTo = this.#ahead < this.#length ? this.#lastOf(this.#ahead) : Infinity;
    return this.#aheadSum;
  }

  releaseAt(amount: number, now: number): number {
    this.#expire(now);
    if (amount <= 0) return this.#latest;
    let released = 0;
    for (let i = 0; i < this.#length; i++) {
      released += this.#amountOf(i);
      // The sum may round below what the difference in `#expire` needs.
      const last = this.#lastOf(i);
      if (released >= amount) return firstInstant(last + this.#window, (at) => last <= at - this.#window);
    }
    return Infinity;
  }

  forgottenAt(now: number): number {
    this.#expire(now);
    return this.#latest + this.#window;
  }

  resize(_limit: number, capacity: number): void {
    this.capacity = capacity;
  }

  amend(delta: number, stamp: number, now: number): void {
    this.#expire(now);
    if (stamp <= this.#latest - this.#window) return;
    // Stamps never go back, so that an amount stands in the first entry that ends at its stamp or later.
    let low = 0;
    for (let high = this.#length; low < high; ) {
      const middle = (low + high) >> 1;
      if (this.#lastOf(middle) < stamp) low = middle + 1;
      else high = middle;
    }
    if (low === this.#length) {
      if (delta > 0) this.#add(delta, stamp);
      return;
    }
    if (this.usedNow > Number.MAX_SAFE_INTEGER) this.#lookAgain();
    const place = this.#slot(low) + 1;
    const amount = Math.max(0, this.#ring[place]! + delta);
    const change = amount - this.#ring[place]!;
    this.usedNow += change;
    if (low < this.#ahead) this.#aheadSum += change;
    this.#ring[place] = amount;
  }

  copy(): SlidingWindow {
    const copy = new SlidingWindow(this.capacity, this.#window);
    copy.usedNow = this.usedNow;
    copy.unchangedUntil = this.unchangedUntil;
    copy.#latest = this.#latest;
    copy.#openedAt = this.#openedAt;
    copy.#ring = this.#ring.slice();
    copy.#head = this.#head;
    copy.#length = this.#length;
    return copy;
  }

  /** Number of entries held, for tests of the bound. */
  get entries(): number {
    return this.#length;
  }

  /** Counts at an instant that is not before that of any entry. */
  #add(amount: number, at: number): void {
    const length = this.#length;
    // The newest entry ends later now, or there is another after it.
    if (this.#ahead === length) this.#aheadTo = -Infinity;
    if (length > 0 && at - this.#openedAt < this.#quantum) {
      const newest = this.#slot(length - 1);
      const ring = this.#ring;
      ring[newest] = at;
      ring[newest + 1]! += amount;
      if (this.#ahead === length) this.#aheadSum += amount;
    } else {
      if (length * 2 === this.#ring.length) this.#grow();
      const slot = this.#slot(this.#length++);
      this.#ring[slot] = at;
      this.#ring[slot + 1] = amount;
      this.#openedAt = at;
    }
    if (this.#length === 1) this.#findEnd();
    this.usedNow += amount;
  }

  #expire(now: number): void {
    if (now > this.#latest) this.#latest = now;
    if (this.#length === 0) return;
    const horizon = this.#latest - this.#window;
    if (this.#lastOf(0) > horizon) return;
    const isInexact = this.usedNow > Number.MAX_SAFE_INTEGER;
    do {
      const amount = this.#amountOf(0);
      this.usedNow -= amount;
      if (this.#ahead > 0) {
        this.#ahead--;
        this.#aheadSum -= amount;
      }
      this.#head = this.#head * 2 + 2 === this.#ring.length ? 0 : this.#head + 1;
      this.#length--;
    } while (this.#length > 0 && this.#lastOf(0) <= horizon);
    this.#findEnd();
    // Sums beyond what a double counts exactly are taken anew, so that no error stays behind.
    if (!isInexact) return;
    this.usedNow = 0;
    for (let i = 0; i < this.#length; i++) this.usedNow += this.#amountOf(i);
    this.#lookAgain();
  }

  /** Until when the oldest entry counts: a little earlier, for the sum may round up. */
  #findEnd(): void {
    const end = this.#length === 0 ? Infinity : this.#lastOf(0) + this.#window;
    this.unchangedUntil = end === Infinity ? end : end - Math.abs(end) * Number.EPSILON;
  }

  /** The next look ahead begins with the oldest entry, with a sum that no rounding has touched. */
  #lookAgain(): void {
    this.#ahead = 0;
    this.#aheadSum = 0;
    this.#aheadTo = -Infinity;
  }

  #lastOf(i: number): number {
    return this.#ring[this.#slot(i)]!;
  }

  #amountOf(i: number): number {
    return this.#ring[this.#slot(i) + 1]!;
  }

  /** Where entry `i`, counted from the oldest, stands in the ring. */
  #slot(i: number): number {
    const place = (this.#head + i) * 2;
    return place >= this.#ring.length ? place - this.#ring.length : place;
  }

  #grow(): void {
    const ring = new Float64Array(Math.max(FIRST_SLOTS * 2, this.#ring.length * 2));
    const tail = this.#ring.subarray(this.#head * 2);
    ring.set(tail);
    ring.set(this.#ring.subarray(0, this.#head * 2), tail.length);
    this.#ring = ring;
    this.#head = 0;
  }
}
