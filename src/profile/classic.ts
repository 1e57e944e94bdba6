import { CONCURRENCY, REQUESTS } from "../config/dimension.ts";
import { USAGE_FIELDS } from "../config/usage.ts";
import { GrateLimiterError } from "../errors.ts";
import type { BurnMeter } from "../forecast/burn-rate.ts";
import { LiveQuota } from "../forecast/live-quota.ts";
import { PortedHealth } from "../health/ported-health.ts";
import { NOT_TOLD } from "../quota/amounts.ts";
import { Concurrency } from "../quota/concurrency.ts";
import { PortedBucket } from "../quota/ported-bucket.ts";
import { WeightedScorer } from "../scoring/weighted-scorer.ts";
import type { Profile } from "./profile.ts";

const WHY = "the classic profile does not have it";

/** Answers as the Rust and Python engines, in the arithmetic of Python. */
export const classic: Profile = {
  dialect: {
    dimensions: ["requests", "tokens", "concurrency", "cost_usd", "bytes"],
    statuses: ["success", "rate_limited", "forbidden", "server_error", "timeout", "client_error"],
    windows: ["named"],
    windowByDefault: "minute",
    without: [
      ...["pools", "spread", "snapshot", "price", "paused", "itpm", "otpm"],
      ...["strategy", "burst", "resetEpochMs", "countsAtEnd"],
      ...["recoveredHealth", "ewmaAlpha", "cooldownThreshold"],
      ...["maxOutputTokens", "only", "exclude", ...USAGE_FIELDS],
    ],
    why: WHY,
  },

  // The ports carry a default cooldown in their configuration, and never read it.
  cooldownSeconds: (own) => own ?? 60,

  weight: () => 1,

  createHealth: (settings, now) => new PortedHealth(settings, now),

  createQuota(spec, pool, _schedule, now) {
    if (spec.strategy === "concurrency") return new LiveQuota(spec, pool, new Concurrency(spec.capacity), NO_BURN);
    const bucket = new PortedBucket(spec.capacity, spec.windowMs!, now);
    // The bucket counts its own burn when it records.
    const burn = { ...NO_BURN, perSecond: (at: number) => bucket.perSecond(at) };
    return new LiveQuota(spec, pool, bucket, burn);
  },

  upsertQuotas: (specs, _had, create) => specs.map(create),

  candidates: (names) => names.map((_, place) => place),

  countObserved(amounts) {
    if (amounts[REQUESTS] === NOT_TOLD) amounts[REQUESTS] = 1;
    // Recorded and never released, as in the ports.
    amounts[CONCURRENCY] = amounts[REQUESTS]!;
  },

  waitMs: () => 0,

  // Reading a bucket refills it, and the ports read every one at every select.
  steadyUntil: () => Number.NEGATIVE_INFINITY,

  room() {},

  fitsAt: (_quotas, _needs, now) => now,

  requireLeases() {
    throw new GrateLimiterError("unsupported", `leases: ${WHY}`);
  },

  quotaScore(quotas, now) {
    const { ratio, exhaustionSeconds } = worstOf(quotas, now);
    const exhaustionPenalty = EXHAUSTION_PENALTIES.find(([below]) => exhaustionSeconds < below)?.[1] ?? 0;
    const burnPenalty = exhaustionSeconds < Number.POSITIVE_INFINITY && ratio < 0.5 ? 0.1 : 0;
    return Math.max(0, ratio - exhaustionPenalty - burnPenalty);
  },

  reportedQuotaScore: (quotas, _scored, now) => worstOf(quotas, now).ratio,

  healthScore: (health, _isTrial, now) => health.score(now),

  strategy(strategy) {
    if (!(strategy instanceof WeightedScorer)) return strategy;
    return { score: (context) => Math.min(1, strategy.score(context)) };
  },

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

/** Seconds to exhaustion below which the quota part loses so much. */
const EXHAUSTION_PENALTIES: readonly (readonly [number, number])[] = [
  [10, 0.8],
  [30, 0.5],
  [60, 0.3],
  [120, 0.1],
];

const NO_BURN: BurnMeter = { record() {}, perSecond: () => 0, perSecondAtMost: () => 0 };

/** The least ratio and the nearest exhaustion, which may come from different quotas. */
function worstOf(quotas: readonly LiveQuota[], now: number): { ratio: number; exhaustionSeconds: number } {
  let ratio = 1;
  let exhaustionSeconds = Number.POSITIVE_INFINITY;
  for (const quota of quotas) {
    const left = quota.remaining(now);
    const { capacity } = quota.tracker;
    // The ports subtract the usage ratio from 1, which was 1 minus the share that is left: both roundings are theirs.
    const usageRatio = capacity === 0 ? 1 : 1 - left / capacity;
    ratio = Math.min(ratio, 1 - usageRatio);
    const rate = quota.burn.perSecond(now);
    if (rate > 0) exhaustionSeconds = Math.min(exhaustionSeconds, left / rate);
  }
  return { ratio, exhaustionSeconds };
}
