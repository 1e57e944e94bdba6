// score = priority, or with a strategy for equals: priority x (1 + 2^-25 x squash(within))
//
//   squash(s) = (1 + s / (1 + |s|)) / 2       any score to 0..1, in the same order
//
// Regimes: priorities are taken as 32-bit floats, whose neighbours are at least a factor 1 + 2^-24 apart, so that no score
// of `within` lifts a provider over the next priority. Whole priorities are exact up to 16,777,216; priority 0 is scored
// by a number below every other.
import type { ProviderScoreContext, ScoringStrategy } from "./scoring-strategy.ts";
import { finiteScore } from "./scoring-strategy.ts";

const GAP = 2 ** -25;
const LEAST = 2 ** -150;

/** Strict order: the highest priority that has room; equals by `within`, or, without it, in the order of the list. */
export class PriorityScorer implements ScoringStrategy {
  readonly #within: ScoringStrategy | undefined;

  constructor(within?: ScoringStrategy) {
    this.#within = within;
  }

  score(context: ProviderScoreContext): number {
    if (this.#within === undefined) return context.priority;
    const priority = Math.fround(context.priority);
    const within = finiteScore(this.#within.score(context));
    const squashed = (1 + within / (1 + Math.abs(within))) / 2;
    return priority === 0 ? squashed * LEAST : priority * (1 + GAP * squashed);
  }
}
