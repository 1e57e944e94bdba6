// When does a demand fit into a quota? Planning beside accounting: nothing here changes a quota.
//
//   excess = taken + claimed + amount + margin - capacity        fits at the first instant at which excess <= 0
//   margin = min(safety margin, capacity - amount), whole, for an estimate (see safety-margin.ts); else 0
//   with a share of the limit, it also needs      claimed + amount + margin <= amount in hand
//
// Regimes, by what becomes of the reservations:
//   "stay":    only usage that is counted already is released.
//   "commit":  each is committed or released at its scheduled instant, and released a window later.
//   "may-end": each open lease might end now and return as much as it can; the others are committed as scheduled.
// Answers are instants. Infinity: time alone never makes room. NOT_KNOWN_YET: the answer depends on facts that have not
// arrived.

import { wholeMsUntil } from "../clock/whole-ms.ts";
import type { Quota } from "./quota.ts";
import type { Reservation } from "./reservation.ts";
import { safetyMargin } from "./safety-margin.ts";
import type { Tracker } from "./tracker.ts";
import { type Demand, demandFor, varianceOf } from "./usage-vector.ts";

/**
 * In place of an instant: it is not known yet whether and when the demand fits, because the store has not been asked. It is
 * NaN, so that it passes through `Math.max` and is neither before nor after any instant. Compare with `!(at <= now)`.
 */
export const NOT_KNOWN_YET: number = NaN;

/** How to plan. */
export interface FitOptions {
  /** What becomes of the reservations; default "stay". */
  readonly reservations?: "stay" | "commit" | "may-end";
  /** Amount that is kept for waiters ahead. */
  readonly claimed?: number;
}

const STAY: FitOptions = {};

/** The first instant at which the quota has room for the demand. */
export function earliestFit(quota: Quota, demand: Demand, now: number, options: FitOptions = STAY): number {
  const at = fitsHere(quota, demand, now, options);
  const { share } = quota;
  if (share === null || at === Infinity || demandFor(demand.amounts, quota.index) === 0) return at;
  const { reservations, claimed = 0 } = options;
  const missing = allowanceFor(quota, demand) + claimed - share.inHand(quota.ownTaken(now));
  const mayEnd = reservations === "may-end";
  if (missing <= (mayEnd ? refundable(quota) : 0)) return at;
  return Math.max(at, share.fitsAt(missing, mayEnd, now));
}

/** Amount that has to be in hand of a shared limit for the demand, with its margin. */
export function allowanceFor(quota: Quota, demand: Demand): number {
  const need = demandFor(demand.amounts, quota.index);
  const variance = need === 0 ? 0 : varianceOf(demand, quota.index);
  return variance > 0 ? need + marginOf(quota, need, variance, quota.estimateVariance) : need;
}

/** The first instant at which the count of this process has room. */
function fitsHere(quota: Quota, demand: Demand, now: number, options: FitOptions): number {
  const { reservations = "stay", claimed = 0 } = options;
  const need = demandFor(demand.amounts, quota.index);
  if (need === 0) return now;
  if (claimed === Infinity) return Infinity;
  const variance = varianceOf(demand, quota.index);
  // The estimates of leases that end are known then.
  const others = reservations === "may-end" ? 0 : quota.estimateVariance;
  const excess = excessOf(quota, need + claimed, variance, others, now);
  if (excess <= 0) return now;
  const { reported } = quota;
  if (reported === null) return fitsByCount(quota, excess, reservations, now);
  const most = quota.taken(now) - excess;
  const refunds = reservations === "may-end" ? refundable(quota) : 0;
  if (excess <= refunds) return now;
  // A report gives capacity only to the present. Resets, refills and the own count give it to the future.
  const own = quota.ownTaken(now) - most;
  const foreign = reported.others(now);
  return Math.min(
    reported.takenAtMostFrom(most + refunds, now),
    fitsByCount(quota, own + foreign, reservations, now),
    foreign > 0 ? Math.max(reported.othersUntil, fitsByCount(quota, own, reservations, now)) : Infinity,
  );
}

/** The first instant at which the own count has released `excess`. */
function fitsByCount(quota: Quota, excess: number, reservations: FitOptions["reservations"], now: number): number {
  if (excess <= 0) return now;
  if (reservations === "may-end") return fitsAfterEndings(quota, excess, now);
  if (reservations === "commit" && !isReleasedFirst(quota, excess, now)) return fitsAfterCommits(quota, excess, now);
  return quota.tracker.releaseAt(excess, now);
}

/** The most that all open leases together can return. */
function refundable({ openReserved, pinned, adjustable }: Quota): number {
  let sum = openReserved - pinned;
  for (let each = adjustable.first; each !== null; each = each.next) sum += each.maxRefund;
  return sum;
}

/** Whole ms until the demand fits. 0: it fits now. */
export function fitsInMs(quota: Quota, demand: Demand, now: number, options: FitOptions = STAY): number {
  const at = earliestFit(quota, demand, now, options);
  const need = demandFor(demand.amounts, quota.index);
  const isExact = quota.reported !== null || quota.share !== null || quota.tracker.refillPerMs === 0;
  if (need === 0 || at === Infinity || isExact) return wholeMsUntil(at, now);
  const amount = need + (options.claimed ?? 0);
  const excess = excessOf(quota, amount, varianceOf(demand, quota.index), quota.estimateVariance, now);
  if (excess <= 0) return 0;
  if (options.reservations === "commit" && !isReleasedFirst(quota, excess, now)) return Math.ceil(at - now);
  return releaseInMs(quota.tracker, excess, now);
}

/** The first whole ms from now after which `amount` of the usage is released, however the sum of instants rounds. */
export function releaseInMs(tracker: Tracker, amount: number, now: number): number {
  const at = tracker.releaseAt(amount, now);
  if (tracker.refillPerMs === 0) return Math.max(1, wholeMsUntil(at, now));
  const inMs = Math.ceil(at - now);
  // An even refill is a sum of floats of its own.
  const isReleased = (ms: number) => ms > 0 && tracker.releasedBy(now + ms, now) >= amount;
  return isReleased(inMs - 1) ? inMs - 1 : isReleased(inMs) ? inMs : inMs + 1;
}

function excessOf(quota: Quota, amount: number, variance: number, others: number, now: number): number {
  const margin = marginOf(quota, amount, variance, others);
  const taken = quota.taken(now);
  const excess = taken - quota.capacity + amount + (variance > 0 ? margin : 0);
  // A sum above the largest exact integer rounds, and more than everything is never released.
  return amount <= quota.capacity ? Math.min(excess, taken) : excess;
}

function marginOf(quota: Quota, amount: number, variance: number, others: number): number {
  // A single request always fits, whatever its margin.
  return Math.min(Math.ceil(safetyMargin(variance, others + variance)), quota.capacity - amount);
}

/**
 * True if commits cannot delay the release of the first `excess`: a commit might join the newest entry of a window and
 * prolong it, but never an older one.
 */
function isReleasedFirst({ tracker, reserved }: Quota, excess: number, now: number): boolean {
  if (reserved === 0) return true;
  const used = tracker.used(now);
  return excess < used && tracker.releaseAt(excess, now) < tracker.releaseAt(used, now);
}

function fitsAfterCommits(quota: Quota, excess: number, now: number): number {
  const { tracker, reserved } = quota;
  const ahead = tracker.copy?.() ?? tracker;
  return fitsAtMost(quota.ownTaken(now) - excess, tracker, ahead, reserved, quota.scheduled.first, false, now);
}

function fitsAfterEndings(quota: Quota, excess: number, now: number): number {
  const { tracker, reserved, openReserved, pinned } = quota;
  if (excess <= openReserved - pinned) return now;
  const most = quota.ownTaken(now) - excess;
  const ahead = tracker.copy?.() ?? tracker;
  const ending = reserved - openReserved;
  if (ahead !== tracker) {
    // An amount that no ending returns counts from the end on.
    ahead.record(pinned, now);
    // The newest first, because of the oldest the window may have released most already.
    for (let each = quota.adjustable.last; each !== null; each = each.previous) {
      const { maxRefund } = each;
      if (maxRefund === 0) continue;
      ahead.amend?.(-maxRefund, each.countedFrom, now);
      if (ahead.used(now) + ending <= most) return now;
    }
  }
  return fitsAtMost(most, tracker, ahead, ending, ending > 0 ? quota.scheduled.first : null, true, now);
}

/**
 * The first instant at which no more than `most` is taken, while the scheduled reservations are committed and released
 * one after the other. `ahead` is a copy that may be written to, or the tracker itself if it has no copies.
 */
function fitsAtMost(
  most: number,
  tracker: Tracker,
  ahead: Tracker,
  reserved: number,
  scheduled: Reservation | null,
  isOfEnded: boolean,
  now: number,
): number {
  let held = reserved;
  let latest = now;
  let fitsAt = ahead.releaseAt(ahead.used(latest) + held - most, latest);
  for (let each = scheduled; each !== null; ) {
    const at = each.scheduledAt;
    let amount = 0;
    for (; each !== null && each.scheduledAt === at; each = each.next) {
      if (!(isOfEnded && each.isOpen)) amount += each.amount;
    }
    if (amount === 0) continue;
    if (fitsAt <= at) break;
    if (ahead !== tracker) ahead.record(amount, at);
    held -= amount;
    latest = at;
    const before = fitsAt;
    fitsAt = ahead.releaseAt(ahead.used(latest) + held - most, latest);
    // The newest entry ends later now; an older one, or a reset, no later commit can delay.
    if (fitsAt === before && fitsAt < Infinity && ahead !== tracker && ahead.refillPerMs === 0) break;
  }
  return fitsAt;
}
