// The default tracker: a log of the amounts in the last window, coalesced into a ring.
//
//   used(t) = sum of all entries with last > t - window
//   an amount at t joins the newest entry if t - first < window / RESOLUTION, else it opens a new one
//
//   first, last: instants of an entry's earliest and latest amount (ms); window: ms; amounts: whole
//
// Regimes: amounts further apart than window / RESOLUTION are exact. Denser amounts share an entry, which is released as a
// whole when its latest amount is a window old. An amount is therefore released at most window / RESOLUTION (0.2 %) late,
// never early. The count is never below the true sliding count, and there are never more than RESOLUTION + 2 entries.
// Source: "coalescing ring log". It is safe against fixed windows of any phase, sliding logs, and token buckets of at least
// this capacity, because every interval of one window holds at most the limit.

import { firstInstant } from "../clock/first-instant.ts";
import type { Tracker } from "./tracker.ts";

const RESOLUTION = 512;
const FIRST_SLOTS = 4;

/** Tracker that never counts too little; O(1) amortised. Memory grows with use to at most 514 entries. */
export class SlidingWindow implements Tracker {
  capacity: number;
  readonly refillPerMs = 0;
  usedNow = 0;
  unchangedUntil: number = Infinity;
  /** The latest instant that a caller passed. */
  #latest = -Infinity;
  /** Instant at which the newest entry was opened. */
  #openedAt = -Infinity;
  readonly #window: number;
  readonly #quantum: number;
  // Ring of entries, oldest at #head. Each entry has two numbers: its latest instant and its amount.
  #ring: Float64Array = new Float64Array(0);
  #head = 0;
  #length = 0;
  // Position of the last lookahead in `releasedBy`: number of entries up to its horizon, and their sum. The next one
  // continues from there.
  #ahead = 0;
  #aheadSum = 0;
  // The sum is valid for every horizon from #aheadFrom to before #aheadTo, as long as no entry changes.
  #aheadFrom = Infinity;
  #aheadTo = -Infinity;

  /** `capacity`: a whole number. `windowMs`: above 0. */
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
    if (this.usedNow > Number.MAX_SAFE_INTEGER) this.#restartLookahead();
    // Continues from the last position: a full walk was half the time of a select with full windows.
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
      // `#expire` compares a difference, and this sum might round to an instant at which that difference is too small.
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

  amend(delta: number, countedAt: number, now: number): void {
    this.#expire(now);
    if (countedAt <= this.#latest - this.#window) return;
    // Amounts are counted in order of time, so an amount is in the first entry that ends at its instant or later.
    let first = 0;
    for (let end = this.#length; first < end; ) {
      const middle = (first + end) >> 1;
      if (this.#lastOf(middle) < countedAt) first = middle + 1;
      else end = middle;
    }
    if (first === this.#length) {
      if (delta > 0) this.#add(delta, countedAt);
      return;
    }
    if (this.usedNow > Number.MAX_SAFE_INTEGER) this.#restartLookahead();
    const amountSlot = this.#slot(first) + 1;
    const amount = Math.max(0, this.#ring[amountSlot]! + delta);
    const change = amount - this.#ring[amountSlot]!;
    this.usedNow += change;
    if (first < this.#ahead) this.#aheadSum += change;
    this.#ring[amountSlot] = amount;
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

  /** Age of the newest entry's first amount, then age and amount of each entry. Ages are whole, so that none is released early. */
  save(now: number): number[] {
    this.#expire(now);
    const saved = [this.#length === 0 ? 0 : Math.floor(this.#latest - this.#openedAt)];
    for (let i = 0; i < this.#length; i++) saved.push(Math.floor(this.#latest - this.#lastOf(i)), this.#amountOf(i));
    return saved;
  }

  restore(saved: readonly number[], open: number, openAt: number, savedAt: number): void {
    for (let i = 1; i + 1 < saved.length; i += 2) {
      const at = Math.max(this.#latest, savedAt - saved[i]!);
      // The bound of the memory. Ages that are out of order count as the latest one.
      this.#openedAt = i < 2 * RESOLUTION ? -Infinity : at;
      this.#latest = at;
      if (saved[i + 1]! > 0) this.#add(Math.ceil(saved[i + 1]!), at);
    }
    if (saved.length > 1) this.#openedAt = Math.min(this.#latest, savedAt - saved[0]!);
    this.#latest = Math.max(this.#latest, savedAt);
    this.record(open, openAt);
  }

  /** Number of entries; for tests of the bound. */
  get entries(): number {
    return this.#length;
  }

  /** Counts `amount` at an instant that is not before the end of any entry. */
  #add(amount: number, at: number): void {
    const length = this.#length;
    // This amount changes the end of the newest entry, or adds an entry after it.
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
    // A sum above the largest exact integer is computed again, so that no rounding error remains.
    if (!isInexact) return;
    this.usedNow = 0;
    for (let i = 0; i < this.#length; i++) this.usedNow += this.#amountOf(i);
    this.#restartLookahead();
  }

  /** Finds the instant until which the oldest entry counts. It is a little earlier, because the sum might round up. */
  #findEnd(): void {
    const end = this.#length === 0 ? Infinity : this.#lastOf(0) + this.#window;
    this.unchangedUntil = end === Infinity ? end : end - Math.abs(end) * Number.EPSILON;
  }

  /** Makes the next lookahead start at the oldest entry, with a sum of 0 and thus without rounding errors. */
  #restartLookahead(): void {
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

  /** Index in the ring of entry `i`, counted from the oldest. */
  #slot(i: number): number {
    const slot = (this.#head + i) * 2;
    return slot >= this.#ring.length ? slot - this.#ring.length : slot;
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
