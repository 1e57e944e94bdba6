// The most that a quota can grant from now until an instant, if everything goes well.
//
//   sliding window:  k x limit + max(0, limit - used + released by now + x)     t = k windows + x
//   fixed window:    resets x limit + max(0, limit - used)                      resets: number of resets until t
//   token bucket:    refill x t + max(0, limit - used)
//
// Regimes: a quota with reports counts one limit more, because a reported reset or refill can release all of it before the own
// count does. Reservations take nothing, and open leases return as much as they can. A place can be free at every instant:
// Infinity. Calendar periods after the next reset count as 10 % shorter, because months and days differ.
// Source of the first line: a window ending at t, t - w, t - 2w ... contains at most the limit each; x is left of now + w.

import type { Quota } from "./quota.ts";

const SHORTEST_PERIOD = 0.9;

/** The most that the quota grants until `at`. */
export function maxSupply(quota: Quota, at: number, now: number): number {
  const { tracker, capacity, spec } = quota;
  if (spec.strategy === "concurrency") return Infinity;
  // Includes the reported usage, if that is less.
  let left = capacity - quota.taken(now) + quota.reserved;
  for (let each = quota.adjustable.first; each !== null; each = each.next) left += each.maxRefund;
  if (quota.reported !== null) left += capacity;
  const resets = tracker.resets?.(now);
  if (resets !== undefined) {
    const { at: next, nextAt } = resets;
    const periodMs = (nextAt - next) * (spec.windowMs === null ? SHORTEST_PERIOD : 1);
    const count = at < next ? 0 : at < nextAt ? 1 : 2 + Math.floor((at - nextAt) / periodMs);
    return count * capacity + Math.max(0, left);
  }
  // `used` is rounded up.
  if (tracker.refillPerMs > 0) return tracker.refillPerMs * (at - now) + Math.max(0, left + 1);
  const windows = Math.floor((at - now) / spec.windowMs!);
  return windows * capacity + Math.max(0, left + tracker.releasedBy(at - windows * spec.windowMs!, now));
}
