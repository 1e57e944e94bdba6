/** The four parts of a score, each 0 to 1; larger is better. */
export interface ScoreBreakdown {
  readonly quotaScore: number;
  readonly healthScore: number;
  readonly priorityScore: number;
  readonly latencyScore: number;
}

/**
 * Facts and ready parts for one candidate; one object is reused, so keep no reference.
 * `quotaRemainingRatio`, `predictedExhaustionSeconds`, `burnPerSecond` and `costMicroUsd` are accessors, computed when
 * read: a strategy pays for what it uses.
 */
export interface ProviderScoreContext extends ScoreBreakdown {
  readonly provider: string;
  readonly capability: string;
  readonly priority: number;
  readonly maxPriority: number;
  /** The provider's weight; 1 in the classic profile. */
  readonly weight: number;
  readonly quotaRemainingRatio: number;
  /** Infinity: never. */
  readonly predictedExhaustionSeconds: number;
  readonly burnPerSecond: number;
  /** Mean latency of the provider's successes; 0: none known. */
  readonly latencyMs: number;
  readonly maxLatencyMs: number;
  readonly inFlight: number;
  /** From `price` and the request; null: unknown. */
  readonly costMicroUsd: number | null;
}

/**
 * Ranks providers: larger is better. Asked for every eligible provider; ranks those with room, for the others it is only
 * reported. NaN and -Infinity become -Number.MAX_VALUE, Infinity Number.MAX_VALUE. What it throws comes out of select.
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
