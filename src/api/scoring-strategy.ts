import type { QuotaForecast } from "./quota-forecast.ts";
import type { Usage } from "./usage.ts";

/** State of one quota, as a scoring strategy reads it. `limit`: the limit in force. `inFlight`: reserved by open leases. */
export type QuotaState = Pick<QuotaForecast, "dimension" | "window" | "pool" | "limit" | "remaining" | "inFlight">;

/** Four parts of a score, each from 0 to 1; larger is better. */
export interface ScoreBreakdown {
  readonly quotaScore: number;
  readonly healthScore: number;
  readonly priorityScore: number;
  readonly latencyScore: number;
}

/**
 * Facts about one provider and its score parts. The limiter reuses one object for all providers: keep no reference.
 * `demand`, `quotas`, `quotaRemainingRatio`,
 * `predictedExhaustionSeconds`, `burnPerSecond` and `costMicroUsd` are computed when they are read.
 */
export interface ProviderScoreContext extends ScoreBreakdown {
  readonly provider: string;
  readonly capability: string;
  readonly priority: number;
  readonly maxPriority: number;
  /** Weight of the provider; 1 in the classic profile. */
  readonly weight: number;
  /** Amounts that the request needs there, estimates included; `{}` in the classic profile. */
  readonly demand: Usage;
  /** Own quotas first, then those of the pools. */
  readonly quotas: readonly QuotaState[];
  readonly quotaRemainingRatio: number;
  /** Infinity: never. */
  readonly predictedExhaustionSeconds: number;
  readonly burnPerSecond: number;
  /** Mean latency of the provider's successes; 0: unknown. */
  readonly latencyMs: number;
  readonly maxLatencyMs: number;
  readonly inFlight: number;
  /** Cost of the request by the provider's `price`; null: unknown. */
  readonly costMicroUsd: number | null;
}

/**
 * Strategy that ranks providers: a larger score is better. It is called for every eligible provider, but decides only among
 * those that have capacity. NaN and -Infinity become -Number.MAX_VALUE, Infinity becomes Number.MAX_VALUE. Its errors reach
 * the caller of `select`.
 *
 * @example Cheapest first, by the `price` of each provider; one without a known price comes last.
 * ```ts
 * const cheapestFirst: ScoringStrategy = {
 *   score: (context) => (context.costMicroUsd === null ? -Infinity : -context.costMicroUsd),
 * };
 * const limiter = new GrateLimiter({ providers, capabilities, scoring: cheapestFirst });
 * ```
 */
export interface ScoringStrategy {
  score(context: ProviderScoreContext): number;
}
