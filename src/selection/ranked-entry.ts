import type { Alternative } from "../api/decision.ts";
import type { Provider } from "../provider/provider.ts";
import type { Listed } from "../provider/provider-list.ts";
import type { ProviderRow } from "../provider/provider-row.ts";
import type { SizeEstimate } from "../provider/size-estimate.ts";

/** `waitMs` of a provider that is not eligible. */
export const NOT_ELIGIBLE: number = Infinity;
/** `waitMs` of an eligible provider that time alone does not free. */
export const NO_KNOWN_TIME: number = Number.MAX_VALUE;

/** A registered provider in a ranking: its facts, and the score and the wait of the last decision. */
export class RankedEntry {
  /** Index in the list of the capability; decides between equals. */
  readonly index: number;
  readonly listed: Listed;
  readonly provider: Provider;
  readonly row: ProviderRow;
  /** Size estimate of the capability that was ranked last. */
  size: SizeEstimate | null = null;
  /** Index in the order. */
  rank: number;
  /** Revision of the row that was scored; -1: not scored. */
  scoredRevision = -1;
  score = 0;
  // Parts of that score that depend on the whole list.
  priorityScore = 0;
  latencyScore = 0;
  waitMs: number = NOT_ELIGIBLE;
  /** Shared by all decisions until the score changes. */
  alternative: Alternative;
  readonly ownPriority: number | null;

  constructor(index: number, listed: Listed, provider: Provider, rank: number) {
    this.index = index;
    this.listed = listed;
    this.provider = provider;
    this.row = provider.row;
    this.rank = rank;
    this.alternative = { provider: listed.name, score: 0 };
    // `+ 0` turns -0 into 0, which JSON cannot tell apart.
    this.ownPriority = listed.ownPriority === null ? null : listed.ownPriority + 0;
  }

  get priority(): number {
    return this.ownPriority ?? this.row.priority;
  }
}

/** Order of a ranking: negative if `a` comes before `b`. */
export function compareEntries(a: RankedEntry, b: RankedEntry): number {
  if (a.waitMs !== b.waitMs) return a.waitMs - b.waitMs;
  return a.score === b.score ? a.index - b.index : b.score - a.score;
}
