import type { ScoreBreakdown } from "./scoring-strategy.ts";

/** A provider that was eligible too, with its score; read-only, for decisions between which the score did not change share it. */
export interface Alternative<P extends string = string> {
  readonly provider: P;
  readonly score: number;
}

/** The ranked answer of `select`; `waitMs` is 0 for now, null for "when a request in flight ends". */
export interface Decision<P extends string = string> {
  readonly provider: P;
  readonly score: number;
  readonly waitMs: number | null;
  /** The parts that the score was made of. */
  readonly reasoning: ScoreBreakdown;
  /** The same object as `reasoning`, under the Python package's name; not enumerable, so that JSON shows it once. */
  readonly breakdown: ScoreBreakdown;
  /** The other eligible providers, best first; those without room stand last. */
  readonly alternatives: readonly Alternative<P>[];
}
