// score = (quota x w_q + health x w_h + priority x w_p + latency x w_l) x provider weight
//
//   quota:    minimum over the quotas of remaining ratio x (1 - pressure)     health: 0..1, 1 in a trial
//   priority: priority / highest of the capability, 0.5 if that is 0          latency: 1 - mean / slowest, 1 while unknown
//
// Regimes: with the default weights and provider weight 1 the score is within 0..1. Quota and health together have more weight
// than priority. A preferred provider is therefore avoided when it fails or its quota runs low, and priority decides among
// the healthy ones.
// Source: weights and parts of grate-limiter 0.1.1 for Rust and Python.

import type { ScoringWeights } from "../api/options.ts";
import type { ProviderScoreContext, ScoringStrategy } from "../api/scoring-strategy.ts";
import * as checks from "../validation/schemas.ts";
import { isStrategy } from "./strategy.ts";

/** Weighted sum of the four score parts, with default weights 0.40, 0.35, 0.20, 0.05. Throws InvalidConfig. */
export class WeightedScorer implements ScoringStrategy {
  readonly #quota: number;
  readonly #health: number;
  readonly #priority: number;
  readonly #latency: number;

  constructor(weights: ScoringWeights = {}) {
    checks.validate(checks.weights, weights);
    this.#quota = weights.quota ?? 0.4;
    this.#health = weights.health ?? 0.35;
    this.#priority = weights.priority ?? 0.2;
    this.#latency = weights.latency ?? 0.05;
  }

  score(context: ProviderScoreContext): number {
    const { quotaScore, healthScore, priorityScore, latencyScore, weight } = context;
    return this.combine(quotaScore, healthScore, priorityScore, latencyScore, weight);
  }

  /** Returns the score from the parts and the provider weight. */
  combine(quota: number, health: number, priority: number, latency: number, weight: number): number {
    const sum = quota * this.#quota + health * this.#health + priority * this.#priority + latency * this.#latency;
    return sum * weight;
  }
}

/** True for a strategy that scores by the four parts and the weight alone. */
export function isBuiltInWeightedScorer(strategy: ScoringStrategy): strategy is WeightedScorer {
  return strategy.score === WeightedScorer.prototype.score;
}

/** Returns the configured strategy: a custom one, or the weighted scorer with the configured weights. */
export function strategyOf(scoring: ScoringWeights | ScoringStrategy | undefined): ScoringStrategy {
  return isStrategy(scoring) ? scoring : new WeightedScorer(scoring);
}
