// The order of the providers of a list for one request.
//
//   those with room now first, then by how soon there is room (unknown last), then those that are not eligible;
//   equals by score, then in the order of the list
//
// Regimes: little changes from one decision to the next. A provider is read again when something was counted there or an
// instant has come at which time changes it, scored again when it was read, and asked for room again when it was read or
// another request asks. The order starts as it was and is put right by insertion, which takes as many steps as there are
// places changed; where that is too many, it is sorted anew.

import type { Alternative, Decision } from "../api/decision.ts";
import { wholeMsUntil } from "../clock/whole-ms.ts";
import { TOO_LARGE } from "../profile/profile.ts";
import type { Capability } from "../provider/capability.ts";
import type { Provider } from "../provider/provider.ts";
import { type Listed, priorityOf } from "../provider/provider-list.ts";
import {
  CHANGES,
  HEALTH_SCORE,
  IS_ELIGIBLE,
  LATENCY,
  PRIORITY,
  QUOTA_SCORE,
  REPORTED_SCORE,
  ROOM_FOR_REQUESTS,
  ROOM_FOR_SIZES,
  SIZING,
  type Standings,
  UNTIL,
  VERSION,
  WEIGHT,
} from "../provider/standings.ts";
import type { Demand } from "../quota/usage-vector.ts";
import { finiteScore } from "../scoring/strategy.ts";
import { CandidateContext } from "./candidate-context.ts";
import { RankedDecision } from "./ranked-decision.ts";
import { readStanding } from "./refresh-row.ts";
import type { RequestSpec } from "./request-spec.ts";
import type { SelectionContext } from "./selection-context.ts";

/** In place of a wait: not eligible. */
const OUT = Infinity;
/** In place of a wait: eligible, but nobody knows when. */
const UNKNOWN = Number.MAX_VALUE;
const STEPS_PER_PLACE = 8;

/** One object serves all calls for a list in turn, and is valid until the next. */
export class Ranking {
  readonly listed: readonly Listed[];
  /** How many are eligible. */
  size = 0;
  readonly #standings: Standings;
  // By place in the list: where the provider's standing is (-1: nowhere), the version of it that was scored, what follows.
  readonly #standsAt: Int32Array;
  /** NaN: that of the provider counts. */
  readonly #ownPriorities: Float64Array;
  readonly #scored: Float64Array;
  readonly #scores: Float64Array;
  readonly #waits: Float64Array;
  /** From when on there is room, and for which state of changes that was asked; NaN: it is to be asked again. */
  readonly #roomAt: Float64Array;
  readonly #askedAt: Float64Array;
  /** As they were handed out: nobody writes to them, so that one whose score has not changed is handed out again. */
  readonly #alternatives: (Alternative | null)[];
  // Places, best first.
  readonly #order: Int32Array;
  #isOrdered = true;
  #capability: Capability | null = null;
  #request: RequestSpec | null = null;
  #isLease = false;
  // The highest priority and mean latency of the list, and the places that have them.
  #maxPriority = -1;
  #maxLatencyMs = -1;
  #preferred = -1;
  #slowest = -1;
  readonly #context = new CandidateContext();

  constructor(listed: readonly Listed[], standings: Standings) {
    this.listed = listed;
    this.#standings = standings;
    this.#standsAt = Int32Array.from(listed, ({ provider }) => provider?.standsAt ?? -1);
    this.#ownPriorities = Float64Array.from(listed, (entry) => {
      // `+ 0` turns -0 into 0, which JSON cannot tell apart.
      return entry.provider === null || entry.ownPriority !== null ? priorityOf(entry) + 0 : NaN;
    });
    this.#scored = new Float64Array(listed.length).fill(NaN);
    this.#scores = new Float64Array(listed.length);
    this.#waits = new Float64Array(listed.length).fill(OUT);
    this.#roomAt = new Float64Array(listed.length).fill(NaN);
    this.#askedAt = new Float64Array(listed.length).fill(NaN);
    this.#alternatives = new Array(listed.length).fill(null);
    this.#order = Int32Array.from(listed, (_, place) => place);
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
    return wait === UNKNOWN ? Infinity : wait;
  }

  /** What the request takes from the one of that rank. */
  needs(rank: number): Demand {
    return this.#request!.needs(this.#capability!, this.entry(rank), this.#isLease);
  }

  /** Ranks anew, for a request at `now`; see `rank` in selector.ts. */
  update(capability: Capability, request: RequestSpec, parts: SelectionContext, now: number, isLease: boolean): void {
    const isOther = request !== this.#request || capability !== this.#capability || isLease !== this.#isLease;
    this.#capability = capability;
    this.#request = request;
    this.#isLease = isLease;
    if (this.#read(parts, now)) this.#findMaxima();
    this.#judge(isOther, request, parts, now);
    if (!this.#isOrdered) this.#sort();
  }

  /** The decision for the one of that rank, with the others as its alternatives; nothing writes to it later. */
  decision(rank: number): Decision {
    const best = this.#order[rank]!;
    const alternatives = new Array<Alternative>(this.size - 1);
    for (let other = 0; other < this.size; other++) {
      if (other !== rank) alternatives[other < rank ? other : other - 1] = this.#alternative(this.#order[other]!);
    }
    const { facts } = this.#standings;
    const at = this.#standsAt[best]!;
    const reasoning = {
      quotaScore: facts[at + REPORTED_SCORE]!,
      healthScore: facts[at + HEALTH_SCORE]!,
      priorityScore: this.#priorityScore(best, at),
      latencyScore: this.#latencyScore(at),
    };
    const { name } = this.listed[best]!;
    const waitMs = this.#waits[best]!;
    return new RankedDecision(name, this.#scores[best]!, waitMs < UNKNOWN ? waitMs : null, reasoning, alternatives);
  }

  #alternative(place: number): Alternative {
    const kept = this.#alternatives[place]!;
    if (kept !== null) return kept;
    const alternative = { provider: this.listed[place]!.name, score: this.#scores[place]! };
    this.#alternatives[place] = alternative;
    return alternative;
  }

  /** Reads again who may have changed; true if one of them had, or now has, the highest priority or latency. */
  #read(parts: SelectionContext, now: number): boolean {
    const standsAt = this.#standsAt;
    const { facts } = this.#standings;
    let mayBeOther = false;
    for (let place = 0; place < standsAt.length; place++) {
      const at = standsAt[place]!;
      if (at < 0) continue;
      if (now >= facts[at + UNTIL]!) readStanding(at, this.#standings, parts, now);
      if (this.#scored[place] === facts[at + VERSION]) continue;
      const latencyMs = facts[at + LATENCY]!;
      const priority = this.#priority(place, at);
      mayBeOther ||=
        (place === this.#slowest ? latencyMs !== this.#maxLatencyMs : latencyMs > this.#maxLatencyMs) ||
        (place === this.#preferred ? priority !== this.#maxPriority : priority > this.#maxPriority);
    }
    return mayBeOther;
  }

  /** If they are others than they were, so is every score (`fill` takes longer than all of this, for few). */
  #findMaxima(): void {
    const { facts } = this.#standings;
    const maxPriority = this.#maxPriority;
    const maxLatencyMs = this.#maxLatencyMs;
    this.#maxPriority = -1;
    this.#maxLatencyMs = -1;
    for (let place = 0; place < this.#standsAt.length; place++) {
      const at = this.#standsAt[place]!;
      const priority = this.#priority(place, at);
      if (priority > this.#maxPriority) {
        this.#maxPriority = priority;
        this.#preferred = place;
      }
      if (at < 0 || facts[at + LATENCY]! <= this.#maxLatencyMs) continue;
      this.#maxLatencyMs = facts[at + LATENCY]!;
      this.#slowest = place;
    }
    if (maxPriority === this.#maxPriority && maxLatencyMs === this.#maxLatencyMs) return;
    for (let place = 0; place < this.#scored.length; place++) this.#scored[place] = NaN;
  }

  /** Asks for room and scores, where the answers may be others than they were. */
  #judge(isOther: boolean, request: RequestSpec, parts: SelectionContext, now: number): void {
    const { facts } = this.#standings;
    const { isTold, isChoosy, isSilent, mostRequests, mostSize } = request;
    // Of most requests it is known what they need without a look at the provider.
    const isStated = isTold || (isSilent && !this.#isLease && !this.#capability!.learning.isAnyKnown);
    const mostSizing = isChoosy ? -1 : Number(isStated);
    this.size = 0;
    for (let place = 0; place < this.#standsAt.length; place++) {
      const at = this.#standsAt[place]!;
      if (at < 0) continue;
      // Before a strategy is asked, which may have the provider read again.
      const version = facts[at + VERSION]!;
      const isScored = this.#scored[place] === version;
      const waitedMs = this.#waits[place]!;
      // Room that was there is there until something is counted; a wait grows shorter.
      if (isOther || !isScored || waitedMs !== 0) {
        let waitMs = OUT;
        if (facts[at + IS_ELIGIBLE] === 1) {
          const isKnown = facts[at + SIZING]! <= mostSizing;
          const isRoom =
            isKnown && mostRequests <= facts[at + ROOM_FOR_REQUESTS]! && mostSize <= facts[at + ROOM_FOR_SIZES]!;
          if (isRoom) {
            waitMs = 0;
            this.#roomAt[place] = NaN;
          } else {
            const roomAt = this.#askedAt[place] === facts[at + CHANGES] ? this.#roomAt[place]! : NaN;
            waitMs =
              isOther || Number.isNaN(roomAt)
                ? this.#askForRoom(place, at, request, parts, now)
                : Math.min(wholeMsUntil(roomAt, now), UNKNOWN);
          }
        }
        if (waitMs !== waitedMs) {
          this.#waits[place] = waitMs;
          this.#isOrdered = false;
        }
        // Who is left out is not asked about, and has no score to be kept.
        if (waitMs === OUT) continue;
      }
      this.size++;
      if (isScored && parts.weighted !== null) continue;
      const score = this.#scoreOf(place, at, request, parts, now);
      if (score !== this.#scores[place]) {
        this.#scores[place] = score;
        this.#alternatives[place] = null;
        this.#isOrdered = false;
      }
      this.#scored[place] = version;
    }
  }

  #askForRoom(place: number, at: number, request: RequestSpec, { profile }: SelectionContext, now: number): number {
    this.#askedAt[place] = this.#standings.facts[at + CHANGES]!;
    this.#roomAt[place] = NaN;
    const entry = this.listed[place]!;
    if (request.isChoosy && request.excludes(entry.name)) return OUT;
    const { quotas } = entry.provider!;
    const needs = request.needs(this.#capability!, entry, this.#isLease);
    const waitMs = profile.waitMs(quotas, needs, now, !this.#isLease);
    if (waitMs === TOO_LARGE) return OUT;
    this.#roomAt[place] = waitMs === 0 ? NaN : profile.roomAt(quotas, needs, now);
    return waitMs < UNKNOWN ? waitMs : UNKNOWN;
  }

  #scoreOf(place: number, at: number, request: RequestSpec, parts: SelectionContext, now: number): number {
    const { facts } = this.#standings;
    const { strategy, weighted, scoreCap } = parts;
    const quotaScore = facts[at + QUOTA_SCORE]!;
    const healthScore = facts[at + HEALTH_SCORE]!;
    const priorityScore = this.#priorityScore(place, at);
    const latencyScore = this.#latencyScore(at);
    if (weighted !== null) {
      const score = weighted.combine(quotaScore, healthScore, priorityScore, latencyScore, facts[at + WEIGHT]!);
      return finiteScore(score > scoreCap ? scoreCap : score);
    }
    const context = this.#context;
    context.begin(this.#capability!.name, request, this.#maxPriority, this.#slowestMs(), now);
    context.priorityScore = priorityScore;
    context.latencyScore = latencyScore;
    context.turnTo(this.listed[place]!.provider!, this.#priority(place, at), quotaScore, healthScore);
    return finiteScore(Math.min(scoreCap, strategy.score(context)));
  }

  // As in the ports.
  #priorityScore(place: number, at: number): number {
    return this.#maxPriority === 0 ? 0.5 : this.#priority(place, at) / this.#maxPriority;
  }

  #latencyScore(at: number): number {
    return 1 - this.#standings.facts[at + LATENCY]! / this.#slowestMs();
  }

  #slowestMs(): number {
    return this.#maxLatencyMs > 0 ? this.#maxLatencyMs : 1;
  }

  #priority(place: number, at: number): number {
    const own = this.#ownPriorities[place]!;
    return Number.isNaN(own) ? this.#standings.facts[at + PRIORITY]! : own;
  }

  #sort(): void {
    const order = this.#order;
    this.#isOrdered = true;
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
    if (waits[a] !== waits[b]) return waits[a]! - waits[b]!;
    const scores = this.#scores;
    return scores[a] === scores[b] ? a - b : scores[b]! - scores[a]!;
  }
}
