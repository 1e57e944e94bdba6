// Order of the providers of a list for one request.
//
//   1. by wait:   providers with capacity now, then by the time until they have capacity (unknown last), then those that
//                 are not eligible
//   2. by score:  highest first
//   3. by index in the list
//
// Regimes: little changes from one decision to the next. One loop refreshes the facts that are out of date, and collects the
// providers with a possibly changed score or wait. Each of these is scored and moved to its new rank. If many changed, the
// whole order is sorted.
import type { Decision } from "../api/decision.ts";
import { wholeMsUntil } from "../clock/whole-ms.ts";
import { TOO_LARGE } from "../profile/profile.ts";
import type { Capability } from "../provider/capability.ts";
import type { Provider } from "../provider/provider.ts";
import { DEFAULT_PRIORITY } from "../provider/provider.ts";
import type { ListedProvider } from "../provider/provider-list.ts";
import type { Demand } from "../quota/usage-vector.ts";
import { finiteScore } from "../scoring/strategy.ts";
import { CandidateContext } from "./candidate-context.ts";
import { RankedDecision } from "./ranked-decision.ts";
import { compareEntries, NO_KNOWN_TIME, NOT_ELIGIBLE, RankedEntry } from "./ranked-entry.ts";
import { refreshRow } from "./refresh-row.ts";
import type { RequestSpec } from "./request-spec.ts";
import type { SelectionContext } from "./selection-context.ts";

// Up to this number of changed entries, moving each one is cheaper than sorting all.
const MOVED_ONE_BY_ONE = 8;

/** Ranking of a list. One object serves all calls for the list in sequence; its result is valid until the next call. */
export class Ranking {
  readonly listed: readonly ListedProvider[];
  /** Number of candidates: the eligible providers, or the ones that the request can probe if no provider is eligible. */
  size = 0;
  /** True if no provider is eligible for the request. */
  isProbing = false;
  readonly #entries: readonly RankedEntry[];
  // The same entries, best first.
  readonly #order: RankedEntry[];
  // Scratch space of `update`. Only the first #changes entries are valid.
  readonly #changed: RankedEntry[] = [];
  #changes = 0;
  readonly #unregisteredPriority: number;
  #capability: Capability | null = null;
  #request: RequestSpec | null = null;
  #isLease = false;
  #maxPriority = -1;
  #maxLatencyMs = -1;
  // Entries with the highest priority and latency of the list.
  #preferred: RankedEntry | null = null;
  #slowest: RankedEntry | null = null;
  readonly #context = new CandidateContext();

  constructor(listed: readonly ListedProvider[]) {
    this.listed = listed;
    const entries: RankedEntry[] = [];
    // The highest priority of the list includes the entries that are not registered.
    let unregisteredPriority = -1;
    for (const [index, entry] of listed.entries()) {
      if (entry.provider !== null) entries.push(new RankedEntry(index, entry, entry.provider, entries.length));
      else unregisteredPriority = Math.max(unregisteredPriority, (entry.ownPriority ?? DEFAULT_PRIORITY) + 0);
    }
    this.#entries = entries;
    this.#order = [...entries];
    this.#unregisteredPriority = unregisteredPriority;
  }

  /** The capability of the latest request. */
  get capability(): Capability {
    return this.#capability!;
  }

  entry(rank: number): ListedProvider {
    return this.#order[rank]!.listed;
  }

  provider(rank: number): Provider {
    return this.#order[rank]!.provider;
  }

  score(rank: number): number {
    return this.#order[rank]!.score;
  }

  waitMs(rank: number): number {
    const { waitMs } = this.#order[rank]!;
    return waitMs === NO_KNOWN_TIME ? Infinity : waitMs;
  }

  /** Demand of the request on the provider at that rank. */
  demand(rank: number): Demand {
    return this.#request!.demandOn(this.#capability!, this.entry(rank), this.#isLease);
  }

  /** Updates the ranking for a request at `now`; see `rank` in select.ts. */
  update(capability: Capability, request: RequestSpec, context: SelectionContext, now: number, isLease: boolean): void {
    if (capability !== this.#capability) {
      for (const entry of this.#entries) entry.size = capability.sizeOn(entry.listed.name);
    }
    let isDifferent = request !== this.#request || isLease !== this.#isLease || capability !== this.#capability;
    const isSameSize = !isDifferent || (this.#request !== null && request.isSameSize(this.#request));
    const isSameDemand = isSameSize && capability === this.#capability;
    this.#capability = capability;
    this.#request = request;
    this.#isLease = isLease;
    if (!isSameDemand && context.profile.quotaScoreFor !== null) {
      for (const entry of this.#entries) if (entry.isSized || entry.isSizedBy(request)) entry.scoredRevision = -1;
    }
    isDifferent ||= this.isProbing || context.weighted === null;
    this.isProbing = false;
    this.#refresh(isDifferent, context, now);
    this.isProbing = this.size === 0;
    if (this.isProbing && this.#entries.some(({ row }) => row.isOpenForProbe)) this.#refresh(true, context, now);
  }

  #refresh(isEverything: boolean, context: SelectionContext, now: number): void {
    this.#collectChanged(isEverything, context, now);
    const changes = this.#changes;
    const isFew = changes <= MOVED_ONE_BY_ONE;
    let isOutOfOrder = false;
    for (let i = 0; i < changes; i++) {
      const entry = this.#changed[i]!;
      if (!this.#evaluate(entry, context, now)) continue;
      if (isFew) this.#move(entry);
      else isOutOfOrder = true;
    }
    if (isOutOfOrder) this.#sort();
  }

  /** Returns the decision for the provider at that rank, with the other eligible providers as alternatives. */
  decision(rank: number): Decision {
    const order = this.#order;
    const best = order[rank]!;
    const { size } = this;
    const alternatives = new Array(size - 1);
    for (let other = 0, to = 0; other < size; other++) {
      if (other !== rank) alternatives[to++] = order[other]!.alternative;
    }
    const { row, waitMs } = best;
    const reasoning = {
      quotaScore: best.quotaScore,
      healthScore: row.healthScore,
      priorityScore: best.priorityScore,
      latencyScore: best.latencyScore,
    };
    return new RankedDecision(
      best.listed.name,
      best.score,
      waitMs < NO_KNOWN_TIME ? waitMs : null,
      reasoning,
      alternatives,
    );
  }

  /** Refreshes the rows that are out of date, and collects the entries with a possibly changed wait or score. */
  #collectChanged(isEverything: boolean, context: SelectionContext, now: number): void {
    const entries = this.#entries;
    const changed = this.#changed;
    let changes = 0;
    let haveMaximaChanged = this.#maxPriority < 0;
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i]!;
      const { row } = entry;
      if (now >= row.validUntil) refreshRow(entry.provider, context, now);
      const isRead = row.revision !== entry.scoredRevision;
      if (isRead) {
        const { latencyMs } = row;
        const priority = entry.ownPriority ?? row.priority;
        haveMaximaChanged ||=
          (entry === this.#slowest ? latencyMs !== this.#maxLatencyMs : latencyMs > this.#maxLatencyMs) ||
          (entry === this.#preferred ? priority !== this.#maxPriority : priority > this.#maxPriority);
      }
      // Capacity that was there remains until something is counted; a wait becomes shorter.
      if (isEverything) entry.fitsSince = -1;
      if (isEverything || isRead || (row.isEligible && entry.waitMs !== 0)) changed[changes++] = entry;
    }
    if (haveMaximaChanged && this.#findMaxima()) {
      for (changes = 0; changes < entries.length; changes++) {
        const entry = entries[changes]!;
        entry.scoredRevision = -1;
        changed[changes] = entry;
      }
    }
    this.#changes = changes;
  }

  /** Finds the highest priority and latency of the list. Returns true if one of them changed, and with it every score. */
  #findMaxima(): boolean {
    const maxPriority = this.#maxPriority;
    const maxLatencyMs = this.#maxLatencyMs;
    this.#maxPriority = this.#unregisteredPriority;
    this.#maxLatencyMs = -1;
    this.#preferred = null;
    this.#slowest = null;
    for (const entry of this.#entries) {
      if (entry.priority > this.#maxPriority) {
        this.#maxPriority = entry.priority;
        this.#preferred = entry;
      }
      if (entry.row.latencyMs <= this.#maxLatencyMs) continue;
      this.#maxLatencyMs = entry.row.latencyMs;
      this.#slowest = entry;
    }
    return maxPriority !== this.#maxPriority || maxLatencyMs !== this.#maxLatencyMs;
  }

  /** Finds the wait and the score of an entry. Returns true if one of them changed. */
  #evaluate(entry: RankedEntry, context: SelectionContext, now: number): boolean {
    const { row } = entry;
    // Read before a strategy is called, because that call might refresh the row.
    const { revision } = row;
    const isCandidate = this.isProbing ? row.isOpenForProbe : row.isEligible;
    const waitMs = isCandidate ? this.#waitMs(entry, context, now) : NOT_ELIGIBLE;
    const hasMoved = waitMs !== entry.waitMs;
    if (hasMoved) {
      if (waitMs === NOT_ELIGIBLE) this.size--;
      else if (entry.waitMs === NOT_ELIGIBLE) this.size++;
      entry.waitMs = waitMs;
    }
    // A provider that is not eligible needs no score. Its row gets a new revision before it is eligible again.
    if (!row.isEligible) entry.scoredRevision = this.isProbing ? -1 : revision;
    if (waitMs === NOT_ELIGIBLE) return hasMoved;
    if (entry.scoredRevision === revision && context.weighted !== null) return hasMoved;
    const score = this.#score(entry, context, now);
    entry.scoredRevision = revision;
    if (score === entry.score) return hasMoved;
    entry.score = score;
    entry.alternative = { provider: entry.listed.name, score };
    return true;
  }

  #waitMs(entry: RankedEntry, { profile }: SelectionContext, now: number): number {
    const { row, provider } = entry;
    const request = this.#request!;
    if (request.isRestricted && request.excludes(entry.listed.name)) return NOT_ELIGIBLE;
    // Two comparisons suffice for most requests, because they fit by a wide margin.
    entry.maxSize = request.maxSizeOn(entry.provider, entry.size!, this.#isLease);
    if (request.maxRequests <= row.requestsLeft && entry.maxSize <= row.sizeLeft) return 0;
    if (entry.fitsSince === row.changes) return Math.min(wholeMsUntil(entry.fitsAt, now), NO_KNOWN_TIME);
    const demand = request.demandOn(this.#capability!, entry.listed, this.#isLease);
    const waitMs = profile.waitMs(provider.quotas, demand, now, !this.#isLease);
    if (waitMs === TOO_LARGE) return NOT_ELIGIBLE;
    if (waitMs > 0 && provider.quotas.every(({ isFixedInTime }) => isFixedInTime)) {
      entry.fitsAt = profile.earliestFit(provider.quotas, demand, now);
      entry.fitsSince = row.changes;
    }
    return Math.min(waitMs, NO_KNOWN_TIME);
  }

  #score(entry: RankedEntry, { strategy, weighted, scoreCap, profile }: SelectionContext, now: number): number {
    const { row, provider } = entry;
    const { quotaScoreFor } = profile;
    let { quotaScore, reportedQuotaScore } = row;
    entry.isSized = quotaScoreFor !== null && entry.mayBeSized(this.#request!) && entry.isSizedBy(this.#request!);
    if (entry.isSized) {
      const { amounts } = this.#request!.demandOn(this.#capability!, entry.listed, false);
      quotaScore = reportedQuotaScore = quotaScoreFor!(provider.quotas, amounts);
    }
    entry.quotaScore = reportedQuotaScore;
    const priority = entry.ownPriority ?? row.priority;
    const maxLatencyMs = this.#maxLatencyMs > 0 ? this.#maxLatencyMs : 1;
    // The Rust and Python packages compute the two parts in this way too.
    const priorityScore = this.#maxPriority === 0 ? 0.5 : priority / this.#maxPriority;
    const latencyScore = 1 - row.latencyMs / maxLatencyMs;
    entry.priorityScore = priorityScore;
    entry.latencyScore = latencyScore;
    if (weighted !== null) {
      const score = weighted.combine(quotaScore, row.healthScore, priorityScore, latencyScore, row.weight);
      return finiteScore(score > scoreCap ? scoreCap : score);
    }
    const context = this.#context;
    context.setRequest(this.#capability!.name, this.#request!, this.#maxPriority, maxLatencyMs, now);
    context.priorityScore = priorityScore;
    context.latencyScore = latencyScore;
    const demand = quotaScoreFor && this.#request!.demandOn(this.#capability!, entry.listed, false);
    context.setCandidate(provider, priority, quotaScore, row.healthScore, demand);
    return finiteScore(Math.min(scoreCap, strategy.score(context)));
  }

  /** Moves one entry to its rank. All other entries must be in order. */
  #move(entry: RankedEntry): void {
    const order = this.#order;
    const from = entry.rank;
    let to = from > 0 && compareEntries(entry, order[from - 1]!) < 0 ? this.#rankAmong(entry, 0, from - 1) : from;
    if (to < from) {
      for (let rank = from; rank > to; rank--) {
        const other = order[rank - 1]!;
        order[rank] = other;
        other.rank = rank;
      }
    } else {
      to = this.#rankAmong(entry, from + 1, order.length) - 1;
      for (let rank = from; rank < to; rank++) {
        const other = order[rank + 1]!;
        order[rank] = other;
        other.rank = rank;
      }
    }
    order[to] = entry;
    entry.rank = to;
  }

  /** First rank in `start` to `limit` (exclusive) with an entry that comes after this one. None: `limit`. */
  #rankAmong(entry: RankedEntry, start: number, limit: number): number {
    const order = this.#order;
    let first = start;
    for (let end = limit; first < end; ) {
      const middle = (first + end) >> 1;
      if (compareEntries(order[middle]!, entry) < 0) first = middle + 1;
      else end = middle;
    }
    return first;
  }

  #sort(): void {
    this.#order.sort(compareEntries);
    for (let rank = 0; rank < this.#order.length; rank++) this.#order[rank]!.rank = rank;
  }
}
