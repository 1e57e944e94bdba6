import type { Events } from "../events.ts";
import { raiseLimitReached } from "../observation/apply-observation.ts";
import type { Quota } from "../quota/quota.ts";
import type { Report } from "../quota/reported-limits.ts";
import type { Reservation } from "../quota/reservation.ts";
import { countedAmount, type Demand, demandFor, type UsageVector, varianceOf } from "../quota/usage-vector.ts";
import {
  countsFrom,
  hasOutlasted,
  holdsPlace,
  isOpen,
  isTaskRunning,
  isUncounted,
  type LeaseState,
} from "./lease-state.ts";

/** The reservations of one lease, in all quotas that it takes part in. */
export class LeaseHoldings {
  /** Amounts that are reserved or counted. */
  amounts: UsageVector;
  readonly #provider: string;
  readonly #needs: Demand;
  readonly #grantedAt: number;
  readonly #events: Events;
  readonly #reservations: Reservation<Quota>[] = [];
  #isCancelled = false;

  constructor(provider: string, needs: Demand, grantedAt: number, events: Events) {
    this.amounts = needs.amounts;
    this.#provider = provider;
    this.#needs = needs;
    this.#grantedAt = grantedAt;
    this.#events = events;
  }

  /** True if it takes part in one of these quotas. */
  isAmong(quotas: ReadonlySet<Quota>): boolean {
    return this.#reservations.some(({ quota }) => quotas.has(quota));
  }

  /**
   * Largest amount / limit over the quotas of the provider, at most 1, because one report must not starve its key. 1: it has no
   * quotas. 0: the request was never sent.
   */
  get charge(): number {
    if (this.#isCancelled) return 0;
    const shares = this.#reservations
      .filter(({ quota }) => quota.fairnessKey === null)
      .map(({ quota, amount }) => (amount > 0 ? amount / quota.spec.limit : 0));
    return shares.length === 0 ? 1 : Math.min(1, Math.max(...shares));
  }

  reserve(quota: Quota, state: LeaseState, now: number): void {
    const amount = this.#amountOn(quota);
    const remaining = quota.remaining(now);
    const scheduledAt = scheduledEnd(quota, state);
    const reservation = quota.reserve(amount, this.#variance(quota, state), this.#grantedAt, now, scheduledAt);
    this.#reservations.push(reservation);
    if (state.kind === "answered") reservation.confirmAnswer();
    if (!isOpen(state)) {
      if (!canStillEnd(quota, state)) reservation.close(now);
      reservation.isAbandoned = quota.isHeldToEnd && hasOutlasted(state);
    }
    if (remaining > 0 && amount >= remaining) this.#raiseLimitReached(quota);
  }

  /** Takes part in those of the quotas that are new, so that they count it as the ones before did. */
  migrateTo(quotas: readonly Quota[], state: LeaseState, now: number): void {
    const before = new Map(this.#reservations.map((reservation) => [reservation.quota, reservation]));
    for (const quota of quotas) {
      if (before.has(quota)) continue;
      const amount = this.#amountOn(quota);
      const source = quota.inheritedFrom === null ? undefined : before.get(quota.inheritedFrom);
      // Usage that the new quota has inherited contains the amount already.
      const isInherited = source !== undefined && !source.isReserved;
      const from = countsFrom(state);
      if (quota.isHeldToEnd ? holdsPlace(state) : isUncounted(state)) {
        if (isInherited) quota.amend(-amount, from, now);
        this.reserve(quota, state, now);
      } else {
        if (!isInherited && (source !== undefined || isOpen(state))) quota.amend(amount, from, now);
        const reservation = quota.adopt(amount, this.#variance(quota, state), this.#grantedAt, from);
        if (!isOpen(state)) reservation.close(now);
        this.#reservations.push(reservation);
      }
    }
  }

  /** Replaces the amounts; true if that freed capacity. */
  adjust(amounts: UsageVector, now: number): boolean {
    if (amounts === this.amounts) return false;
    this.amounts = amounts;
    let isFreed = false;
    for (const reservation of this.#reservations) {
      const { quota, amount: before } = reservation;
      const amount = this.#amountOn(quota);
      if (reservation.adjust(amount, now)) this.#raiseLimitReached(quota);
      isFreed ||= amount < before;
    }
    return isFreed;
  }

  /** The request was answered. */
  confirmAnswer(now: number): void {
    for (const reservation of this.#reservations) {
      reservation.confirmAnswer();
      if (!reservation.quota.isHeldToEnd) reservation.answered(now);
    }
  }

  /** Applies a report about one of the quotas. */
  applyReport(quota: Quota, report: Report, now: number): void {
    const reservation = this.#reservations.find((each) => each.quota === quota);
    if (reservation === undefined) return;
    const { mark, amount, grantedAt } = reservation;
    // The provider has not counted yet what it counts at the end.
    const own = quota.isHeldToEnd ? 0 : amount;
    const isCovered = quota.applyReport(report, mark, own, grantedAt, now);
    reservation.isCovered ||= isCovered && !quota.isHeldToEnd;
  }

  /** The request was never sent. */
  cancel(now: number): void {
    this.#isCancelled = true;
    for (const reservation of this.#reservations) if (reservation.isReserved) reservation.cancel(now);
  }

  /** Ends the reservations of the windows, or those that are held to the end. */
  commit(isHeldToEnd: boolean, at: number): void {
    const reservations = this.#reservations;
    for (let i = 0; i < reservations.length; i++) {
      const reservation = reservations[i]!;
      const { quota } = reservation;
      if (quota.isHeldToEnd !== isHeldToEnd || !reservation.isReserved) continue;
      if (quota.spec.strategy === "concurrency") reservation.release(at);
      else reservation.commit(at);
    }
  }

  /** The lease has ended with that state. Reservations that a running task holds stay open. */
  close(state: LeaseState, now: number): void {
    for (const reservation of this.#reservations) {
      const { quota } = reservation;
      if (canStillEnd(quota, state)) continue;
      reservation.close(now);
      if (reservation.isReserved) reservation.schedule(scheduledEnd(quota, state));
    }
  }

  /** The task of the abandoned request still holds places. */
  markAbandoned(): void {
    for (const reservation of this.#reservations) reservation.isAbandoned = reservation.quota.isHeldToEnd;
  }

  /** The event is about limits of providers. */
  #raiseLimitReached(quota: Quota): void {
    if (quota.fairnessKey === null) raiseLimitReached(this.#events, this.#provider, quota);
  }

  #amountOn({ index, spec }: Quota): number {
    return countedAmount(demandFor(this.amounts, index), this.amounts, spec.isUncached);
  }

  #variance({ index }: Quota, state: LeaseState): number {
    return isOpen(state) ? varianceOf(this.#needs, index) : 0;
  }
}

/** True if a reservation of an ended lease ends with a task that still runs. */
function canStillEnd({ isHeldToEnd }: Quota, state: LeaseState): boolean {
  return isHeldToEnd && isTaskRunning(state);
}

/** When a reservation ends by itself in that state; Infinity: unknown. */
function scheduledEnd({ isHeldToEnd }: Quota, state: LeaseState): number {
  if (isHeldToEnd) return "freeAt" in state && !isTaskRunning(state) ? state.freeAt : Infinity;
  return "countsAt" in state ? state.countsAt : Infinity;
}
