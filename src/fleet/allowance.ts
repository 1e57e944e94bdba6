// What this process may use of one quota that processes share.
//
//   held = reserved + spare + usage that no exchange has carried yet        held: what the store keeps for this process
//
//   reserve:  spare -> reserved        return:  reserved -> spare        commit:  reserved -> usage
//
// Regimes: an amount that the store has not granted (a request that needed more than it had reserved, a share used while the
// store is down) is an excess. Returned amounts lower the excess first, so that nothing is ever in hand that was not granted.
// While the store is down, "share" allows limit / processes by the own count of the window instead.

import type { StoreQuota } from "../api/store.ts";
import type { Quota } from "../quota/quota.ts";
import type { Share } from "../quota/share.ts";
import { UsageLog } from "./usage-log.ts";

/** Share of a request below which nothing is asked for ahead. */
const LEAST_AHEAD = 0.1;

/** Part of one quota. Amounts are whole and never negative. */
export class Allowance implements Share {
  readonly quota: Quota;
  /** Name of the quota in the store. */
  readonly id: string;
  log: UsageLog;
  usedElsewhere = 0;
  heldElsewhere = 0;
  /** True if other processes wait for the quota. */
  isWaitedFor = false;
  /** True if places were given back that the store still counts. */
  hasReturned = false;
  /** Limit of this process while the store is down; null: what it has in hand. */
  outageLimit: number | null = null;
  #spare = 0;
  /** Amount that all processes left by the latest answer, and the share of one of them. */
  #free = 0;
  #fairShare = Infinity;
  #excess: number;
  #sentExcess = 0;
  /** Least amount that the store has refused, and the instant before which it grants none. */
  #refused = Infinity;
  #refusedUntil = -Infinity;
  readonly #state: AllowanceState;

  constructor(quota: Quota, id: string, windowMs: number, state: AllowanceState) {
    this.quota = quota;
    this.id = id;
    this.log = new UsageLog(windowMs);
    this.#state = state;
    // Nothing of it was granted by the store.
    this.#excess = quota.reserved;
  }

  get isPlaces(): boolean {
    return this.quota.spec.strategy === "concurrency";
  }

  /** Amount that was granted and is not reserved. */
  get spare(): number {
    return this.#spare;
  }

  /** Amount that the store keeps for this process, without the usage that the next exchange carries. */
  get held(): number {
    return this.quota.reserved + this.#spare + this.log.pending;
  }

  inHand(own: number): number {
    if (this.outageLimit !== null) return Math.max(0, this.outageLimit - own);
    return this.#spare;
  }

  remaining(left: number, own: number): number {
    const ofAll = left - this.usedElsewhere - this.heldElsewhere;
    return Math.max(0, Math.min(left, Math.max(ofAll, this.inHand(own))));
  }

  fitsAt(amount: number, mayBeReturned: boolean, now: number): number {
    if (this.#state.isDown || this.outageLimit !== null) {
      if (mayBeReturned) return NaN;
      return this.outageLimit === null ? Infinity : this.quota.tracker.releaseAt(amount, now);
    }
    if (!this.isRefused(amount, now)) return NaN;
    return mayBeReturned && this.heldElsewhere > 0 ? NaN : this.#refusedUntil;
  }

  reserve(delta: number): void {
    if (delta > 0) this.#take(delta);
    else if (this.isPlaces && this.isWaitedFor && this.held - delta > this.#fairShare) {
      // Others wait, and this process has more than its share: the place goes back to the store.
      this.hasReturned = true;
    } else {
      const unpaid = Math.min(this.#excess, -delta);
      this.#excess -= unpaid;
      this.#spare += -delta - unpaid;
    }
    this.#state.changed();
  }

  commit(amount: number, at: number): void {
    if (amount === 0) return;
    this.log.add(amount, at);
    this.#state.changed();
  }

  count(amount: number, at: number): void {
    if (amount === 0 || this.isPlaces) return;
    if (amount > 0) this.#take(amount);
    this.log.add(amount, at);
    this.#state.changed();
  }

  /** Amount to have in hand for that time, at the rate of this process; 0 for places. */
  ahead(aheadMs: number, now: number): number {
    if (this.isPlaces || this.quota.reserved + this.log.used(now) === 0) return 0;
    // A rate never decays to 0.
    const amount = Math.max(0, Math.ceil((this.quota.burn.perSecond(now) * aheadMs) / 1_000 - LEAST_AHEAD));
    return Math.min(amount, Math.floor(this.quota.capacity / 2));
  }

  get refusedUntil(): number {
    return this.#refusedUntil;
  }

  /** What is sent about the quota. */
  message(ahead: number, now: number): StoreQuota {
    const { tracker, capacity, reported } = this.quota;
    const resets = tracker.resets?.(now);
    // Without known resets every window of that length counts, whatever its phase.
    const isFixed = resets?.isKnown === true;
    return {
      id: this.id,
      kind: this.isPlaces ? "places" : isFixed ? "fixed" : "window",
      limit: Math.max(0, capacity - (reported?.others(now) ?? 0)),
      windowMs: this.isPlaces ? 0 : Math.ceil(this.log.windowMs),
      resetInMs: isFixed ? Math.max(1, Math.ceil(resets.at - now)) : 0,
      // What "share" allows now or soon is given to no other process.
      held: Math.max(this.held, this.outageLimit ?? 0),
      spare: this.#spare,
      used: this.log.batch(now),
      ahead,
    };
  }

  /** The store has accepted the message. */
  accept(granted: number, used: number, held: number, processes: number, now: number): void {
    this.log.confirm();
    this.granted(granted);
    this.#free = this.quota.capacity - used - held;
    this.#fairShare = Math.floor(this.quota.capacity / processes);
    this.usedElsewhere = Math.max(0, used - this.log.used(now));
    this.heldElsewhere = Math.max(0, held - this.held);
    if (this.#refusedUntil <= now) this.forgetRefusals();
  }

  /** True if the store has too little left for the amount. */
  isScarceFor(amount: number): boolean {
    return amount > this.#free + this.#spare;
  }

  /** Limits this process to its share of the limit, because the store is down; null: the store answers. */
  limitTo(processes: number | null): void {
    this.outageLimit = processes && Math.floor(this.quota.capacity / processes);
  }

  /** Gives back all but `keep` of the spare amount; it is gone as soon as it is sent. */
  returnSpare(keep: number): void {
    if (this.#spare > keep) this.#spare = keep;
  }

  /** What is held is sent now. */
  sent(): void {
    this.hasReturned = false;
    this.#sentExcess = this.#excess;
  }

  /** Takes the place of the allowance of a quota that was replaced. */
  continueFrom(before: Allowance): void {
    this.log = before.log;
    this.usedElsewhere = before.usedElsewhere;
    this.heldElsewhere = before.heldElsewhere;
  }

  /** The store has accepted what was sent, and granted an amount. */
  granted(amount: number): void {
    this.#excess = Math.max(0, this.#excess - this.#sentExcess);
    this.#spare += amount;
  }

  /** The store has refused an amount, and will until then. */
  refused(amount: number, until: number): void {
    this.#refused = Math.min(amount, this.#refused);
    this.#refusedUntil = until;
  }

  /** True if the store has refused such an amount, and nothing is to be expected yet. */
  isRefused(amount: number, now: number): boolean {
    return amount >= this.#refused && now < this.#refusedUntil;
  }

  forgetRefusals(): void {
    this.#refused = Infinity;
    this.#refusedUntil = -Infinity;
  }

  /** The allowance is over: the store has given it to others, or has lost it. */
  expire(): void {
    this.#spare = 0;
    this.#excess = this.quota.reserved + this.log.pending;
  }

  #take(amount: number): void {
    const spare = Math.min(this.#spare, amount);
    this.#spare -= spare;
    this.#excess += amount - spare;
  }
}

/** State of the connection that the allowances of a group share. */
export interface AllowanceState {
  readonly isDown: boolean;
  /** An allowance has changed. */
  changed(): void;
}
