import type { QuotaForecast } from "../api/quota-forecast.ts";
import { releaseInMs } from "./availability.ts";
import type { Quota } from "./quota.ts";

/** All that `forecast()` returns of a quota; times are null if none is known. */
export function quotaForecast(quota: Quota, now: number): QuotaForecast {
  const { spec, pool, tracker, reserved, share } = quota;
  const used = tracker.used(now);
  const exhaustedInMs = quota.exhaustedInMs(now);
  const nextReleaseInMs = used > 0 ? releaseInMs(tracker, 1, now) : Infinity;
  const isReleased = Number.isFinite(nextReleaseInMs);
  // Places that are counted as used were observed without a lease, and are in flight all the same.
  const places = spec.strategy === "concurrency" ? used : 0;
  return {
    dimension: spec.dimension,
    window: spec.window,
    pool,
    limit: spec.limit,
    ceiling: quota.capacity,
    ceilingSource: quota.capacity < spec.capacity ? "header" : "config",
    used: used - places + (share?.usedElsewhere ?? 0),
    inFlight: reserved + places + (share?.heldElsewhere ?? 0),
    remaining: quota.remaining(now),
    inHand: share && Math.min(quota.remaining(now), share.inHand(quota.ownTaken(now))),
    burnPerSecond: quota.burn.perSecond(now),
    exhaustedInMs: Number.isFinite(exhaustedInMs) ? exhaustedInMs : null,
    nextReleaseInMs: isReleased ? nextReleaseInMs : null,
    nextReleaseAmount: isReleased ? tracker.releasedBy(now + nextReleaseInMs, now) : 0,
  };
}
