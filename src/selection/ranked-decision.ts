import type { Alternative, Decision } from "../api/decision.ts";
import type { ScoreBreakdown } from "../api/scoring-strategy.ts";

/** A decision, which does not change after it was made. */
export class RankedDecision implements Decision {
  readonly provider: string;
  readonly score: number;
  readonly waitMs: number | null;
  readonly reasoning: ScoreBreakdown;
  readonly alternatives: readonly Alternative[];

  constructor(
    provider: string,
    score: number,
    waitMs: number | null,
    reasoning: ScoreBreakdown,
    alternatives: readonly Alternative[],
  ) {
    this.provider = provider;
    this.score = score;
    this.waitMs = waitMs;
    this.reasoning = reasoning;
    this.alternatives = alternatives;
  }

  get breakdown(): ScoreBreakdown {
    return this.reasoning;
  }
}
