// Accounting of one quota, and the handle through which a lease takes part in it.
//
//   taken(t) = used(t) + reserved          remaining(t) = max(0, capacity - taken(t))
//
//   used(t):  amounts that were recorded and that the tracker has not released by t
//   reserved: sum of all reservations that are neither committed nor returned
//
//   reserve --commit(at)--> usage from `at` on             the request counts
//           --release()---> nothing                        a place is free again
//           --cancel()----> nothing, also in the burn rate the request was never sent
//   adjust(amount): the request turned out to need another amount, whether it is reserved or counted
//   close(): the lease has ended, so that the amount is no estimate any more and no ending can lower it
//
// Only the handle changes the sums, so that they cannot disagree with the reservations. "Returned" and "became usage" are
// separate steps because a share of a limit gets back only what was returned.

import type { BurnMeter } from "./burn-rate.ts";
import { REQUESTS } from "./dimension-index.ts";
import type { QuotaSpec } from "./quota-spec.ts";
import type { Mark, ReportedLimits } from "./reported-limits.ts";
import { ReservationList } from "./reservation-list.ts";
import type { Share } from "./share.ts";
import type { Tracker } from "./tracker.ts";

/** Usage and reservations of one quota. */
export class Account {
  spec: QuotaSpec;
  readonly tracker: Tracker;
  readonly burn: BurnMeter;
  /** Index of its dimension. */
  readonly index: number;
  /** Limits that its provider reported; null: none so far. */
  reported: ReportedLimits | null = null;
  /** Null: the limit is its own. */
  share: Share | null = null;
  /** Providers that draw from it; each is invalidated when it changes. */
  readonly dependents: { invalidate(): void }[] = [];
  /** Reservations that are committed or released at a known instant if nothing more is heard, earliest first. */
  readonly scheduled: ReservationList<Reservation> = new ReservationList();
  /** Committed reservations that the end of their lease might lower. */
  readonly adjustable: ReservationList<Reservation> = new ReservationList();
  /** Reservations without a known end, in the order in which they were made. */
  readonly held: ReservationList<Reservation> = new ReservationList();
  /** Sum of all reservations. This field and the three that follow are written by reservations alone. */
  reserved = 0;
  /** Part of `reserved` that belongs to open leases. */
  openReserved = 0;
  /** Part of `openReserved` that no ending returns. */
  pinned = 0;
  /** Variance of the sum of the estimates of open leases. */
  estimateVariance = 0;

  constructor(spec: QuotaSpec, tracker: Tracker, burn: BurnMeter) {
    this.spec = spec;
    this.tracker = tracker;
    this.burn = burn;
    this.index = spec.index;
  }

  /** The limit in force. */
  get capacity(): number {
    return this.tracker.capacity;
  }

  /** Most that one report counts: a bucket would need several windows to pay a larger debt. */
  get largest(): number {
    return this.spec.strategy === "token_bucket" ? this.capacity : Infinity;
  }

  /** Amount that cannot be granted: used and reserved together, or less if reports prove that the provider has more left. */
  taken(now: number): number {
    const own = this.ownTaken(now);
    if (this.reported === null) return own;
    // A report says nothing about the requests of other processes, so that it creates no capacity for this one.
    return this.share === null ? this.reported.taken(now, own) : own + this.reported.others(now);
  }

  /** Used and reserved together, by the own count. */
  ownTaken(now: number): number {
    const { tracker } = this;
    return (now < tracker.unchangedUntil ? tracker.usedNow : tracker.used(now)) + this.reserved;
  }

  /** Amount that is left, of a shared limit to all processes together. */
  remaining(now: number): number {
    const left = this.tracker.capacity - this.taken(now);
    if (left <= 0) return 0;
    return this.share === null ? left : this.share.remaining(left, this.ownTaken(now));
  }

  /** Changes by `delta` what was counted from `countedFrom` on. */
  amend(delta: number, countedFrom: number, now: number, isInFlight = false): void {
    this.tracker.amend?.(delta, countedFrom, now);
    this.share?.count(delta, countedFrom);
    if (isInFlight) this.reported?.changeInFlight(delta);
    else if (delta > 0) this.reported?.counted(delta, false, now);
    this.changed();
  }

  /** Makes all dependents read it again. */
  changed(): void {
    for (let i = 0; i < this.dependents.length; i++) this.dependents[i]!.invalidate();
  }
}

/** Share of one lease in one quota. */
export class Reservation<Q extends Account = Account> {
  readonly quota: Q;
  /** When the lease was granted. */
  readonly grantedAt: number;
  /** True if a task holds it that still runs although its call gave up. */
  isAbandoned = false;
  /** State of the reports at the grant; null: there was none. */
  readonly mark: Mark | null = null;
  /** True if a report contains the request. */
  isCovered = false;
  // Both are for the list that the reservation is in.
  previous: Reservation | null = null;
  next: Reservation | null = null;
  readonly #variance: number;
  #list: ReservationList<Reservation> | null = null;
  #amount: number;
  /** While it is reserved: when it ends by itself; once it is committed: from when on it counts. */
  #at: number;
  #isReserved: boolean;
  #isOpen = true;
  /** What stays counted however the lease ends. */
  #floor = 0;
  /** True if the provider has counted the request, as far as reports are concerned. */
  #isAnswered: boolean;

  /** Reserves at `now`. With `countedFrom`, it is a handle for usage that is counted from then on already. */
  constructor(
    quota: Q,
    amount: number,
    variance: number,
    grantedAt: number,
    now: number,
    scheduledAt: number,
    countedFrom: number | null = null,
  ) {
    this.quota = quota;
    this.grantedAt = grantedAt;
    this.#amount = amount;
    this.#variance = variance;
    this.#isReserved = countedFrom === null;
    this.#isAnswered = countedFrom !== null;
    this.#at = countedFrom ?? scheduledAt;
    if (variance > 0) this.#addVariance(variance);
    if (countedFrom === null) {
      this.#reserve(amount, now);
      this.mark = quota.reported?.mark(quota.ownTaken(now)) ?? null;
      quota.openReserved += amount;
      this.#enter(scheduledAt < Infinity ? quota.scheduled : quota.held);
    } else {
      this.#floor = quota.index === REQUESTS ? 1 : 0;
      if (this.maxRefund > 0) this.#enter(quota.adjustable);
    }
  }

  get amount(): number {
    return this.#amount;
  }

  /** True until it is committed, released or cancelled. */
  get isReserved(): boolean {
    return this.#isReserved;
  }

  /** True until the lease ends. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** While it is reserved: when it is committed or released if nothing more is heard. Infinity: unknown. */
  get scheduledAt(): number {
    return this.#at;
  }

  /** Once it is committed: from when on it counts. */
  get countedFrom(): number {
    return this.#at;
  }

  /** The most that the end of the lease can return. */
  get maxRefund(): number {
    return this.#isOpen && this.#amount > this.#floor ? this.#amount - this.#floor : 0;
  }

  /** Sets when it is committed or released if nothing more is heard. */
  schedule(at: number): void {
    if (at === this.#at) return;
    this.#exit();
    this.#at = at;
    this.#enter(at < Infinity ? this.quota.scheduled : this.quota.held);
  }

  /** The amount becomes usage at `at`, which is never before the instant of an earlier commit. */
  commit(at: number): void {
    const { quota } = this;
    quota.tracker.record(this.#amount, at);
    this.#return();
    quota.share?.commit(this.#amount, at);
    if (this.mark === null || !this.#isOpen) this.answered(at);
    this.#at = at;
    if (quota.index === REQUESTS) this.#floor = 1;
    if (this.maxRefund > 0) this.#enter(quota.adjustable);
  }

  /** Returns the amount: the place is free again. */
  release(now: number): void {
    this.#return();
    this.quota.share?.reserve(-this.#amount);
    this.answered(now);
  }

  /** Returns the amount as if it had never been reserved. */
  cancel(now: number): void {
    if (this.#amount > 0) this.quota.burn.count(-this.#amount, now, this.grantedAt);
    this.#return();
    this.quota.share?.reserve(-this.#amount);
    this.quota.reported?.changeInFlight(-this.#amount);
    this.#isAnswered = true;
  }

  /** The provider has counted the request. */
  answered(now: number): void {
    if (this.#isAnswered) return;
    this.#isAnswered = true;
    this.quota.reported?.answered(this.#amount, this.isCovered, now);
  }

  /** Replaces the amount, reserved or counted; true if that used up what had remained. */
  adjust(reported: number, now: number): boolean {
    const { quota } = this;
    const amount = Math.min(reported, Math.max(this.#amount, quota.largest));
    const delta = amount - this.#amount;
    if (delta === 0) return false;
    if (!this.#isReserved) {
      const before = quota.remaining(now);
      quota.burn.count(Math.min(delta, quota.capacity), now, this.grantedAt);
      this.#amount = amount;
      if (this.#list === null && this.maxRefund > 0) this.#enter(quota.adjustable);
      quota.amend(delta, this.#at, now, !this.#isAnswered);
      return before > 0 && quota.remaining(now) === 0;
    }
    const pinned = this.#pinned;
    this.#amount = amount;
    if (this.#isOpen) {
      quota.openReserved += delta;
      quota.pinned += this.#pinned - pinned;
    }
    const before = quota.remaining(now);
    this.#reserve(delta, now);
    return before > 0 && delta >= before;
  }

  /** The request was answered, so that it stays counted however the lease ends. */
  confirmAnswer(): void {
    const { quota } = this;
    if (quota.index !== REQUESTS || this.#floor > 0) return;
    this.#floor = 1;
    if (this.#isReserved && this.#isOpen) quota.pinned += this.#pinned;
  }

  /** The lease has ended. */
  close(now: number): void {
    if (!this.#isReserved) this.answered(now);
    if (!this.#isOpen) return;
    const { quota } = this;
    if (this.#isReserved) {
      quota.openReserved -= this.#amount;
      quota.pinned -= this.#pinned;
    } else this.#exit();
    this.#isOpen = false;
    if (this.#variance > 0) this.#addVariance(-this.#variance);
  }

  get #pinned(): number {
    return this.#amount < this.#floor ? this.#amount : this.#floor;
  }

  #reserve(delta: number, now: number): void {
    if (delta === 0) return;
    const { quota } = this;
    quota.burn.count(Math.min(delta, quota.capacity), now, this.grantedAt);
    quota.reserved = Math.max(0, quota.reserved + delta);
    quota.share?.reserve(delta);
    quota.reported?.changeInFlight(delta);
    quota.changed();
  }

  #return(): void {
    const { quota } = this;
    this.#exit();
    this.#isReserved = false;
    quota.reserved = Math.max(0, quota.reserved - this.#amount);
    if (this.#isOpen) {
      quota.openReserved -= this.#amount;
      quota.pinned -= this.#pinned;
    }
    quota.changed();
  }

  #addVariance(change: number): void {
    const { quota } = this;
    quota.estimateVariance = Math.max(0, quota.estimateVariance + change);
    quota.changed();
  }

  #enter(list: ReservationList<Reservation>): void {
    list.add(this);
    this.#list = list;
  }

  #exit(): void {
    this.#list?.remove(this);
    this.#list = null;
  }
}
