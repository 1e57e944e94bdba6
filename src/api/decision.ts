import type { ScoreBreakdown } from "./scoring-strategy.ts";

/** Another eligible provider and its score. Read-only, because decisions with equal scores share one object. */
export interface Alternative<P extends string = string> {
  readonly provider: P;
  readonly score: number;
}

/** Answer of `select`: the best provider for a request. */
export interface Decision<P extends string = string> {
  readonly provider: P;
  readonly score: number;
  /** Milliseconds until the provider has capacity. 0: now. null: not known, it depends on the end of other requests. */
  readonly waitMs: number | null;
  /** Parts of which the score was made. */
  readonly reasoning: ScoreBreakdown;
  /** Same object as `reasoning`, under its name in the Python package. Not enumerable, so that JSON contains it once. */
  readonly breakdown: ScoreBreakdown;
  /** Other eligible providers, best first; those without capacity come last. */
  readonly alternatives: readonly Alternative<P>[];
}
