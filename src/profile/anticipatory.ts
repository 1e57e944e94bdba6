import { DIMENSIONS } from "../api/dimension.ts";
import { STATUSES } from "../api/status-class.ts";
import type { EngineTime } from "../clock/engine-time.ts";
import { alignedWindows, calendarPeriods, everyWindow, type ResetSchedule } from "../clock/reset-schedule.ts";
import { HEALTH_DEFAULTS } from "../health/health-settings.ts";
import { TimedHealth } from "../health/timed-health.ts";
import { earliestFit, type FitOptions, fitsInMs } from "../quota/availability.ts";
import { BurnRate } from "../quota/burn-rate.ts";
import { Concurrency } from "../quota/concurrency.ts";
import { CONCURRENCY } from "../quota/dimension-index.ts";
import { FixedWindow } from "../quota/fixed-window.ts";
import { Quota } from "../quota/quota.ts";
import { type QuotaSpec, sameSpec } from "../quota/quota-spec.ts";
import { SlidingWindow } from "../quota/sliding-window.ts";
import { TokenBucket } from "../quota/token-bucket.ts";
import type { Tracker } from "../quota/tracker.ts";
import { completeUsage, demandFor } from "../quota/usage-vector.ts";
import { type Profile, TOO_LARGE } from "./profile.ts";

const AS_SCHEDULED: FitOptions = { reservations: "commit" };

/** The default: limits are predicted, health heals with time, and what has no room ranks last. */
export const anticipatory: Profile = {
  vocabulary: {
    dimensions: DIMENSIONS,
    statuses: STATUSES,
    windows: ["named", "seconds", "calendar"],
    windowByDefault: null,
    without: [],
    why: "",
  },

  minimumHealth: 0,

  defaultCooldownSeconds: 1,

  healthDefaults: HEALTH_DEFAULTS,

  cooldownSeconds: (own, byDefault) => own ?? byDefault,

  weight: (own) => own ?? 1,

  createHealth: (settings, now) => new TimedHealth(settings, now),

  createQuota(spec, pool, time, now) {
    return new Quota(spec, pool, createTracker(spec, time, now), new BurnRate());
  },

  upsertQuotas(specs, previous, create) {
    const unmatched = [...previous];
    return specs.map((spec) => {
      const at = unmatched.findIndex((quota) => sameSpec(quota.spec, spec));
      return at < 0 ? create(spec) : unmatched.splice(at, 1)[0]!;
    });
  },

  candidates(names) {
    const seen = new Set<string>();
    return names.flatMap((name, index) => (seen.has(name) || !seen.add(name) ? [] : [index]));
  },

  countObserved(amounts, price) {
    completeUsage(amounts, price);
    // A finished request takes no concurrency; only an open lease does.
    amounts[CONCURRENCY] = 0;
  },

  waitMs(quotas, demand, now, isExact) {
    let longest = 0;
    for (const quota of quotas) {
      if (demandFor(demand.amounts, quota.index) > quota.capacity) return TOO_LARGE;
      const wait = fitsInMs(quota, demand, now, isExact ? AS_SCHEDULED : undefined);
      // Not known yet: no known time.
      if (!(wait <= longest)) longest = wait >= 0 ? wait : Infinity;
    }
    return longest;
  },

  readQuotas(quotas, reading, now) {
    reading.quotaScore = 1;
    reading.requestsLeft = Infinity;
    reading.sizeLeft = Infinity;
    reading.leastSize = Infinity;
    reading.openVariance = 0;
    let validUntil = Infinity;
    for (let i = 0; i < quotas.length; i++) validUntil = Math.min(validUntil, quotas[i]!.read(reading, now));
    reading.reportedQuotaScore = reading.quotaScore;
    return validUntil;
  },

  quotaScoreFor(quotas, amounts) {
    let least = 1;
    for (let i = 0; i < quotas.length; i++) {
      const quota = quotas[i]!;
      // An unspecified amount was neither stated nor learned.
      const share = quota.shareAfter(Math.max(0, amounts[quota.index]!));
      if (share < least) least = share;
    }
    return least;
  },

  earliestFit(quotas, needs, now, options) {
    let latest = now;
    for (const quota of quotas) latest = Math.max(latest, earliestFit(quota, needs, now, options));
    return latest;
  },

  requireLeases() {},

  scoreCap: Infinity,

  remaining(quotas, now) {
    let least = Infinity;
    for (const quota of quotas) least = Math.min(least, quota.remaining(now));
    return least;
  },

  miscalls: {
    unknownCapability() {},
    unknownProvider() {},
    emptyCapability(counters) {
      counters.noProviderAvailable++;
    },
  },
};

function createTracker(spec: QuotaSpec, time: EngineTime, now: number): Tracker {
  switch (spec.strategy) {
    case "concurrency":
      return new Concurrency(spec.capacity);
    case "fixed_window":
      return new FixedWindow(spec.capacity, scheduleOf(spec, time, now), now);
    case "token_bucket":
      return new TokenBucket(spec.limit, spec.windowMs!, spec.capacity);
    case "sliding_window":
      return new SlidingWindow(spec.capacity, spec.windowMs!);
  }
}

/** Returns the reset schedule of a fixed window. */
function scheduleOf({ window, windowMs, resetEpochMs }: QuotaSpec, time: EngineTime, now: number): ResetSchedule {
  if (typeof window === "object" && window !== null && "calendar" in window) {
    return calendarPeriods(window.calendar, window.timeZone ?? "UTC", time);
  }
  return resetEpochMs === null ? everyWindow(now, windowMs!) : alignedWindows(resetEpochMs, windowMs!, time);
}
