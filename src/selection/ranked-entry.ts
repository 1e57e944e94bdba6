import type { Alternative } from "../api/decision.ts";
import type { Provider } from "../provider/provider.ts";
import type { ListedProvider } from "../provider/provider-list.ts";
import type { ProviderRow } from "../provider/provider-row.ts";
import type { SizeEstimate } from "../provider/size-estimate.ts";
import type { RequestSpec } from "./request-spec.ts";

/** `waitMs` of a provider that is not eligible. */
export const NOT_ELIGIBLE: number = Infinity;
/** `waitMs` of an eligible provider that gets no capacity by time alone. */
export const NO_KNOWN_TIME: number = Number.MAX_VALUE;

/** Share of the smallest limit up to which the score does not look at a learned size, because it costs time. */
const NEGLIGIBLE_SHARE = 0.001;

/** A registered provider in a ranking, with its score and wait of the last decision. */
export class RankedEntry {
  /** Index in the list of the capability. It decides between equal scores. */
  readonly index: number;
  readonly listed: ListedProvider;
  readonly provider: Provider;
  readonly row: ProviderRow;
  /** Size estimate for the capability of the last call. */
  size: SizeEstimate | null = null;
  /** Index in the order, best first. */
  rank: number;
  /** Revision of the row at the last scoring. -1: not scored. */
  scoredRevision = -1;
  score = 0;
  /** Quota part of the score that a decision reports. */
  quotaScore = 0;
  /** True if that part depends on the request. */
  isSized = false;
  // Parts of the score that depend on the whole list.
  priorityScore = 0;
  latencyScore = 0;
  waitMs: number = NOT_ELIGIBLE;
  /** Instant from which the request fits, and the `changes` of the row for which it was found; -1: it has to be found. */
  fitsAt = 0;
  fitsSince = -1;
  /** Shared by all decisions until the score changes. */
  alternative: Alternative;
  readonly ownPriority: number | null;

  constructor(index: number, listed: ListedProvider, provider: Provider, rank: number) {
    this.index = index;
    this.listed = listed;
    this.provider = provider;
    this.row = provider.row;
    this.rank = rank;
    this.alternative = { provider: listed.name, score: 0 };
    // `+ 0` turns -0 into 0, because JSON has no -0.
    this.ownPriority = listed.ownPriority === null ? null : listed.ownPriority + 0;
  }

  /** Upper bound of the size of the latest request; for a lease, invented reservations included. */
  maxSize: number = Infinity;

  /** False if `maxSize` shows already that the latest request is not sized. */
  mayBeSized(request: RequestSpec): boolean {
    return request.statesSize || this.maxSize > NEGLIGIBLE_SHARE * this.row.leastSize || request.maxRequests > 1;
  }

  /** True if the request takes so much of a quota that the score has to look at it. An invented estimate does not count. */
  isSizedBy(request: RequestSpec): boolean {
    if (request.maxRequests > 1) return true;
    if (request.statesSize) return this.row.leastSize < Infinity;
    return request.maxSizeOn(this.provider, this.size!, false) > NEGLIGIBLE_SHARE * this.row.leastSize;
  }

  get priority(): number {
    return this.ownPriority ?? this.row.priority;
  }
}

/** Compares by wait, then score, then index. Negative: `a` comes before `b`. */
export function compareEntries(a: RankedEntry, b: RankedEntry): number {
  if (a.waitMs !== b.waitMs) return a.waitMs - b.waitMs;
  return a.score === b.score ? a.index - b.index : b.score - a.score;
}
