import { REPORTED_USAGE_FIELDS } from "../api/usage.ts";
import { GrateLimiterError } from "../errors.ts";
import { HEALTH_DEFAULTS } from "../health/health-settings.ts";
import type { Profile } from "../profile/profile.ts";
import type { BurnMeter } from "../quota/burn-rate.ts";
import { Concurrency } from "../quota/concurrency.ts";
import { CONCURRENCY, REQUESTS } from "../quota/dimension-index.ts";
import { Quota } from "../quota/quota.ts";
import { UNSPECIFIED } from "../quota/usage-vector.ts";
import { ClassicBucket } from "./classic-bucket.ts";
import { ClassicHealth } from "./classic-health.ts";

/** Profile that answers as the Rust and Python packages ("the ports") do, in Python's arithmetic. */
export const classic: Profile = {
  vocabulary: {
    dimensions: ["requests", "tokens", "concurrency", "cost_usd", "bytes"],
    statuses: ["success", "rate_limited", "forbidden", "server_error", "timeout", "client_error"],
    windows: ["named"],
    windowByDefault: "minute",
    without: [
      ...["pools", "snapshot", "keyLimits", "spread", "price", "paused", "pausedUntil", "dialect", "itpm", "otpm"],
      ...["strategy", "burst", "resetEpochMs", "countsAtEnd", "cachedInput"],
      ...["recoveredHealth", "ewmaAlpha", "cooldownThreshold", "recheckDeadAfterMs"],
      ...["maxOutputTokens", "only", "exclude", "affinityKey", "reported", ...REPORTED_USAGE_FIELDS],
      ...["store", "whenStoreIsDown", "aheadMs", "processTtlMs"],
    ],
    why: "in the classic profile",
  },

  minimumHealth: 0.2,

  defaultCooldownSeconds: 60,

  healthDefaults: { ...HEALTH_DEFAULTS, cooldownTriggerCount: 3, maxCooldownSeconds: 600 },

  // The ports have a default cooldown in their configuration, but never read it.
  cooldownSeconds: (own) => own ?? 60,

  weight: () => 1,

  createHealth: (settings, now) => new ClassicHealth(settings, now),

  createQuota(spec, pool, _time, now) {
    if (spec.strategy === "concurrency") return new Quota(spec, pool, new Concurrency(spec.capacity), NO_BURN);
    const bucket = new ClassicBucket(spec.capacity, spec.windowMs!, now);
    return new Quota(spec, pool, bucket, bucket);
  },

  upsertQuotas: (specs, _previous, create) => specs.map(create),

  candidates: (names) => names.map((_, index) => index),

  countObserved(amounts) {
    if (amounts[REQUESTS] === UNSPECIFIED) amounts[REQUESTS] = 1;
    // The ports record concurrency and never release it.
    amounts[CONCURRENCY] = amounts[REQUESTS]!;
  },

  waitMs: () => 0,

  readQuotas(quotas, reading, now) {
    // The smallest ratio and the nearest exhaustion can come from different quotas.
    let lowestRatio = 1;
    let exhaustionSeconds = Infinity;
    for (let i = 0; i < quotas.length; i++) {
      const { tracker, burn } = quotas[i]!;
      const { capacity } = tracker;
      const left = Math.max(0, capacity - tracker.used(now));
      // The ports compute the usage as 1 minus the remaining share, and subtract it from 1 again. Both roundings matter.
      const ratio = capacity === 0 ? 0 : 1 - (1 - left / capacity);
      if (ratio < lowestRatio) lowestRatio = ratio;
      const rate = burn.perSecond(now);
      if (rate > 0 && left / rate < exhaustionSeconds) exhaustionSeconds = left / rate;
    }
    const burnPenalty = exhaustionSeconds < Infinity && lowestRatio < 0.5 ? 0.1 : 0;
    reading.quotaScore = Math.max(0, lowestRatio - exhaustionPenalty(exhaustionSeconds) - burnPenalty);
    reading.reportedQuotaScore = lowestRatio;
    // Reading a bucket refills it, and the ports read every bucket at every select.
    return -Infinity;
  },

  quotaScoreFor: null,

  earliestFit: (_quotas, _needs, now) => now,

  requireLeases() {
    throw new GrateLimiterError("unsupported", "the classic profile has no leases; use select and observe");
  },

  scoreCap: 1,

  remaining: (quotas, now) => quotas[0]!.remaining(now),

  miscalls: {
    unknownCapability(counters) {
      counters.selects++;
    },
    unknownProvider(counters) {
      counters.observations++;
    },
    emptyCapability() {},
  },
};

/** Penalty of the quota part of the score, by the seconds until exhaustion. */
function exhaustionPenalty(seconds: number): number {
  if (seconds >= 120) return 0;
  if (seconds >= 60) return 0.1;
  if (seconds >= 30) return 0.3;
  return seconds >= 10 ? 0.5 : 0.8;
}

const NO_BURN: BurnMeter = { bound: 0, count() {}, perSecond: () => 0 };
