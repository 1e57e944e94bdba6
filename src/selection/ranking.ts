// The order of a capability's providers for one request.
//
//   those with room now first, then by how soon there is room (unknown last), then those that are not eligible;
//   equals by score, then in the order of the list
//
// Regimes: little changes from one decision to the next. What was read of a provider is kept until something is counted
// there or an instant comes at which time changes it, and stands side by side in memory, because with a thousand providers
// it is memory that takes the time. The order starts as it was and is put right by insertion, which takes as many steps as
// there are places changed; where that is too many, it is sorted anew.
import { DIMENSIONS } from "../config/dimension.ts";
import type { PendingStamps } from "../forecast/live-quota.ts";
import { TOO_LARGE } from "../profile/profile.ts";
import { type Listed, priorityOf } from "../provider/capability.ts";
import type { Provider } from "../provider/provider.ts";
import { needOf } from "../quota/amounts.ts";
import type { ScoreBreakdown } from "../scoring/scoring-strategy.ts";
import { finiteScore } from "../scoring/scoring-strategy.ts";
import { isSteady } from "../scoring/weighted-scorer.ts";
import { CandidateContext } from "./candidate-context.ts";
import { type Alternative, type Decision, RankedDecision } from "./decision.ts";
import type { Request } from "./request.ts";
import type { SelectionParts } from "./selector.ts";

/** In place of a wait: not eligible. */
const OUT = Number.POSITIVE_INFINITY;
/** In place of a wait: eligible, but nobody knows when. */
const UNKNOWN = Number.MAX_VALUE;
const STEPS_PER_PLACE = 8;
const WIDTH = DIMENSIONS.length;

/** One object serves all calls for a capability in turn, and is valid until the next. */
export class Ranking {
  readonly listed: readonly Listed[];
  readonly #context: CandidateContext;
  // By place in the list: what was read of its provider, when it is to be read again, and what follows from it.
  readonly #slots: Int32Array;
  readonly #versions: Float64Array;
  readonly #until: Float64Array;
  readonly #isEligible: Uint8Array;
  readonly #isChanged: Uint8Array;
  /** For which requests needs are more than what is stated: of none, of those that do not state tokens, of all. */
  readonly #needing: Uint8Array;
  /** Whether sizes were learned there. */
  readonly #isLearned: Uint8Array;
  readonly #quotaScores: Float64Array;
  readonly #healthScores: Float64Array;
  readonly #priorities: Float64Array;
  readonly #latencies: Float64Array;
  readonly #scores: Float64Array;
  readonly #waits: Float64Array;
  // By place and dimension.
  readonly #left: Float64Array;
  readonly #most: Float64Array;
  /** Dimensions that any of them has a quota of. */
  readonly #dimensions: number[] = [];
  #dimensionBits = 0;
  // Places, best first.
  readonly #order: Int32Array;
  #size = 0;
  #maxPriority = Number.NaN;
  #maxLatencyMs = Number.NaN;

  constructor(capability: string, listed: readonly Listed[]) {
    const numbers = (start: number, width = 1) => new Float64Array(listed.length * width).fill(start);
    this.listed = listed;
    this.#context = new CandidateContext(capability);
    this.#slots = Int32Array.from(listed, ({ provider }) => provider?.slot ?? -1);
    this.#versions = numbers(Number.NaN);
    this.#until = numbers(Number.NEGATIVE_INFINITY);
    this.#isEligible = new Uint8Array(listed.length);
    this.#isChanged = new Uint8Array(listed.length);
    this.#needing = new Uint8Array(listed.length);
    this.#isLearned = new Uint8Array(listed.length);
    this.#quotaScores = numbers(0);
    this.#healthScores = numbers(0);
    this.#priorities = Float64Array.from(listed, (entry) => (entry.provider === null ? priorityOf(entry) : 0));
    this.#latencies = numbers(0);
    this.#scores = numbers(0);
    this.#waits = numbers(OUT);
    this.#left = numbers(0, WIDTH);
    this.#most = numbers(0, WIDTH);
    this.#order = Int32Array.from(listed, (_, place) => place);
  }

  /** How many are eligible. */
  get size(): number {
    return this.#size;
  }

  entry(rank: number): Listed {
    return this.listed[this.#order[rank]!]!;
  }

  provider(rank: number): Provider {
    return this.entry(rank).provider!;
  }

  score(rank: number): number {
    return this.#scores[this.#order[rank]!]!;
  }

  waitMs(rank: number): number {
    const wait = this.#waits[this.#order[rank]!]!;
    return wait === UNKNOWN ? Number.POSITIVE_INFINITY : wait;
  }

  /** Ranks anew, for a request at `now`; see `rank` in selector.ts. */
  update(request: Request, parts: SelectionParts, now: number, pending: PendingStamps | undefined): void {
    const { counts } = parts.registry.versions;
    const slots = this.#slots;
    let isAnyChanged = false;
    for (let place = 0; place < slots.length; place++) {
      const slot = slots[place]!;
      if (slot < 0 || (now < this.#until[place]! && this.#versions[place] === counts[slot])) continue;
      this.#versions[place] = counts[slot]!;
      this.#read(place, parts, now);
      isAnyChanged = true;
    }
    const isAllChanged = this.#findMaxima(isAnyChanged) || !isSteady(parts.plainStrategy);
    this.#findWaits(request, parts, now, pending);
    this.#score(isAllChanged, request, parts, now);
    this.#sort();
  }

  /** The decision for the one of that rank, with the others as its alternatives; nothing writes to it later. */
  decision(rank: number, { profile }: SelectionParts, now: number): Decision {
    const best = this.#order[rank]!;
    const { name, provider } = this.listed[best]!;
    const alternatives: Alternative[] = [];
    for (let other = 0; other < this.#size; other++) {
      if (other === rank) continue;
      const place = this.#order[other]!;
      alternatives.push({ provider: this.listed[place]!.name, score: this.#scores[place]! });
    }
    const context = this.#context;
    context.turnTo(provider!, this.#priorities[best]!, this.#quotaScores[best]!, this.#healthScores[best]!);
    const reasoning: ScoreBreakdown = {
      quotaScore: profile.reportedQuotaScore(provider!.quotas, context.quotaScore, now),
      healthScore: context.healthScore,
      priorityScore: context.priorityScore,
      latencyScore: context.latencyScore,
    };
    const waitMs = this.waitMs(rank);
    return new RankedDecision(name, this.#scores[best]!, waitMs < UNKNOWN ? waitMs : null, reasoning, alternatives);
  }

  #read(place: number, { profile, minimumHealth, events }: SelectionParts, now: number): void {
    const entry = this.listed[place]!;
    const provider = entry.provider!;
    provider.tellEndedCooldown(events, now);
    const { quotas, health } = provider;
    const state = provider.state(now, minimumHealth);
    const isEligible = state === "available" || state === "ramping" || state === "trial";
    this.#isChanged[place] = 1;
    this.#isEligible[place] = Number(isEligible);
    this.#priorities[place] = priorityOf(entry);
    this.#latencies[place] = health.latencyMs ?? 0;
    this.#needing[place] = !provider.hasSizes ? 0 : provider.settings.price === null ? 1 : 2;
    this.#isLearned[place] = Number(entry.size.isKnown);
    let until = Math.min(health.steadyUntil(now), provider.cooldownToldAt);
    if (isEligible) {
      this.#quotaScores[place] = profile.quotaScore(quotas, now);
      this.#healthScores[place] = profile.healthScore(health, state === "trial", now);
      const left = this.#left;
      const most = this.#most;
      for (let at = place * WIDTH; at < (place + 1) * WIDTH; at++) {
        left[at] = Number.POSITIVE_INFINITY;
        most[at] = Number.POSITIVE_INFINITY;
      }
      profile.room(quotas, now, left, most, place * WIDTH);
      for (const { spec } of quotas) this.#counts(spec.index);
      until = Math.min(until, profile.steadyUntil(quotas, now));
    }
    this.#until[place] = until;
  }

  #counts(index: number): void {
    if ((this.#dimensionBits & (1 << index)) !== 0) return;
    this.#dimensionBits |= 1 << index;
    this.#dimensions.push(index);
  }

  /** True if one of them is another than it was, so that every score is. */
  #findMaxima(isAnyChanged: boolean): boolean {
    if (!isAnyChanged && this.#maxPriority >= 0) return false;
    let maxPriority = 0;
    let maxLatencyMs = 0;
    for (let place = 0; place < this.#slots.length; place++) {
      if (this.#priorities[place]! > maxPriority) maxPriority = this.#priorities[place]!;
      if (this.#latencies[place]! > maxLatencyMs) maxLatencyMs = this.#latencies[place]!;
    }
    const isOther = maxPriority !== this.#maxPriority || maxLatencyMs !== this.#maxLatencyMs;
    this.#maxPriority = maxPriority;
    this.#maxLatencyMs = maxLatencyMs;
    return isOther;
  }

  #score(isAllChanged: boolean, request: Request, { strategy }: SelectionParts, now: number): void {
    const context = this.#context;
    context.begin(request, this.#maxPriority, this.#maxLatencyMs === 0 ? 1 : this.#maxLatencyMs, now);
    for (let place = 0; place < this.#slots.length; place++) {
      if (!isAllChanged && this.#isChanged[place] === 0) continue;
      // Who is left out is not asked about, and has no score to be kept.
      const isOut = this.#waits[place] === OUT;
      this.#isChanged[place] = Number(isOut);
      if (isOut) continue;
      const { provider } = this.listed[place]!;
      context.turnTo(provider!, this.#priorities[place]!, this.#quotaScores[place]!, this.#healthScores[place]!);
      this.#scores[place] = finiteScore(strategy.score(context));
    }
  }

  #findWaits(request: Request, { profile }: SelectionParts, now: number, pending: PendingStamps | undefined): void {
    const isLease = pending === undefined;
    const { isTold, isChoosy, stated } = request;
    const isSilent = !isLease && request.isSilent;
    this.#size = 0;
    for (let place = 0; place < this.#slots.length; place++) {
      this.#waits[place] = OUT;
      if (this.#isEligible[place] === 0) continue;
      if (isChoosy && request.excludes(this.listed[place]!.name)) continue;
      const needing = this.#needing[place]!;
      const isStated = needing === 0 || (needing === 1 && (isTold || (isSilent && this.#isLearned[place] === 0)));
      const needs = isStated ? stated : request.needs(this.listed[place]!, isLease);
      let waitMs = 0;
      for (const index of this.#dimensions) {
        const need = needOf(needs.amounts, index);
        if (need > 0 && need > this.#left[place * WIDTH + index]!) waitMs = OUT;
        if (need > this.#most[place * WIDTH + index]!) waitMs = TOO_LARGE;
        if (waitMs === TOO_LARGE) break;
      }
      if (waitMs === TOO_LARGE) continue;
      if (waitMs === OUT || needs.variance > 0) {
        waitMs = profile.waitMs(this.listed[place]!.provider!.quotas, needs, now, pending);
      }
      this.#waits[place] = waitMs < UNKNOWN ? waitMs : UNKNOWN;
      this.#size++;
    }
  }

  #sort(): void {
    const order = this.#order;
    let steps = STEPS_PER_PLACE * order.length;
    for (let i = 1; i < order.length; i++) {
      const place = order[i]!;
      let to = i;
      for (; to > 0 && this.#compare(place, order[to - 1]!) < 0; to--) order[to] = order[to - 1]!;
      order[to] = place;
      steps -= i - to;
      if (steps < 0) {
        order.sort((a, b) => this.#compare(a, b));
        return;
      }
    }
  }

  #compare(a: number, b: number): number {
    const waits = this.#waits;
    if (waits[a] !== waits[b]) return waits[a]! < waits[b]! ? -1 : 1;
    const scores = this.#scores;
    return scores[a] === scores[b] ? a - b : scores[b]! - scores[a]!;
  }
}
