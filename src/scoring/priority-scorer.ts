// score = priority, or with a strategy `within` for equal priorities: priority x (1 + 2^-25 x place(score of within))
//
//   place(s) = position of s in the order of all 32-bit floats, 0 to 1, in steps of 2^-27
//
// Regimes: priorities are rounded to 32-bit floats. Neighbouring floats differ at least by a factor of 1 + 2^-24, so no
// score of `within` lifts a provider over the next priority. Whole priorities are exact up to 16,777,216. Two scores of
// `within` count as different from a relative difference of 4 millionths on, at any magnitude. Priority 0 is below all others.

import type { ProviderScoreContext, ScoringStrategy } from "../api/scoring-strategy.ts";
import { objectOf } from "../validation/check.ts";
import * as checks from "../validation/schemas.ts";
import { finiteScore } from "./strategy.ts";

const GAP = 2 ** -25;
const SMALLEST = 2 ** -150;

/**
 * Strict order: the highest priority with capacity comes first. `within` orders equal priorities; without it they keep the
 * order of the list. Throws InvalidConfig.
 */
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
    return priority === 0 ? place * SMALLEST : priority * (1 + GAP * place);
  }
}

/** Position of a score in the order of all 32-bit floats. Floats of one sign sort like the integers with the same bits. */
function placeOf(score: number): number {
  const bits = new DataView(new ArrayBuffer(4));
  bits.setFloat32(0, score);
  const asInteger = bits.getInt32(0);
  const ordinal = asInteger < 0 ? -(asInteger + 2 ** 31) : asInteger;
  return Math.floor((ordinal + 2 ** 31) / 32) / 2 ** 27;
}
