import type { ScoringStrategy } from "../api/scoring-strategy.ts";

/** True for an object that scores, as against weights. */
export function isStrategy(value: object | undefined): value is ScoringStrategy {
  return value !== undefined && typeof (value as Partial<ScoringStrategy>).score === "function";
}

/** What a strategy answered, as a number that sorts and that JSON can hold. */
export function finiteScore(score: number): number {
  // `+ 0` turns -0 into 0, which JSON cannot tell apart.
  if (Number.isFinite(score)) return score + 0;
  return score === Infinity ? Number.MAX_VALUE : -Number.MAX_VALUE;
}
