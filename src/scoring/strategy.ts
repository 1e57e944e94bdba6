import type { ScoringStrategy } from "../api/scoring-strategy.ts";

/** True for a scoring strategy, false for weights. */
export function isStrategy(value: object | undefined): value is ScoringStrategy {
  return value !== undefined && typeof (value as Partial<ScoringStrategy>).score === "function";
}

/** Converts the score of a strategy to a finite number, so that it sorts and JSON can hold it. */
export function finiteScore(score: number): number {
  // `+ 0` turns -0 into 0, because JSON has no -0.
  if (Number.isFinite(score)) return score + 0;
  return score === Infinity ? Number.MAX_VALUE : -Number.MAX_VALUE;
}
