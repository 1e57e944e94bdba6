// score = priority, or with a strategy for equals: priority x (1 + 2^-25 x place(within))
//
//   place(s) = where s stands among all 32-bit floats, 0 to 1, in steps of 2^-27
//
// Regimes: priorities are taken as 32-bit floats, whose neighbours are at least a factor 1 + 2^-24 apart, so that no score
// of `within` lifts a provider over the next priority; whole priorities are exact up to 16,777,216. Scores of `within` are
// told apart from a difference of 4 millionths of them on, however large or small they are. Priority 0 is below every other.

import type { ProviderScoreContext, ScoringStrategy } from "../api/scoring-strategy.ts";
import { objectOf } from "../validation/check.ts";
import * as checks from "../validation/schemas.ts";
import { finiteScore } from "./strategy.ts";

const GAP = 2 ** -25;
const LEAST = 2 ** -150;

/** Strict order: the highest priority that has room; equals by `within`, or, without it, in the order of the list. Throws InvalidConfig. */
export class PriorityScorer implements ScoringStrategy {
  readonly #within: ScoringStrategy | undefined;

  constructor(within?: ScoringStrategy) {
    checks.validate(objectOf({ within: checks.strategy }), { within });
    this.#within = within;
  }

  score(context: ProviderScoreContext): number {
    if (this.#within === undefined) return context.priority;
    const priority = Math.fround(context.priority);
    const place = placeOf(finiteScore(this.#within.score(context)));
    return priority === 0 ? place * LEAST : priority * (1 + GAP * place);
  }
}

/** Floats of one sign sort as the integers that their bits spell. */
function placeOf(score: number): number {
  const bits = new DataView(new ArrayBuffer(4));
  bits.setFloat32(0, score);
  const spelled = bits.getInt32(0);
  const ordinal = spelled < 0 ? -(spelled + 2 ** 31) : spelled;
  return Math.floor((ordinal + 2 ** 31) / 32) / 2 ** 27;
}
