// The order of a capability's providers for one request.
//
//   those with room now first, then by how soon there is room (unknown last), then those that are not eligible;
//   equals by score, then in the order of the list
//
// Regimes: little changes from one decision to the next, so the order starts as it was and is put right by insertion, which
// takes as many steps as there are places changed; where that is too many, it is sorted anew.
import type { Listed } from "../provider/capability.ts";
import type { Provider } from "../provider/provider.ts";
import type { ScoreBreakdown } from "../scoring/scoring-strategy.ts";
import { CandidateContext } from "./candidate-context.ts";
import { type Alternative, type Decision, RankedDecision } from "./decision.ts";

/** In place of a wait: not eligible. */
const OUT = Number.POSITIVE_INFINITY;
/** In place of a wait: eligible, but nobody knows when. */
const UNKNOWN = Number.MAX_VALUE;
const STEPS_PER_PLACE = 8;

/** One object serves all calls for a capability in turn, and is valid until the next. */
export class Ranking {
  readonly context: CandidateContext;
  readonly #listed: readonly Listed[];
  readonly #scores: number[] = [];
  readonly #waits: number[] = [];
  // Places in the list, best first.
  readonly #order: number[] = [];
  #size = 0;

  constructor(capability: string, listed: readonly Listed[]) {
    this.context = new CandidateContext(capability);
    this.#listed = listed;
    for (let place = 0; place < listed.length; place++) {
      this.#scores.push(0);
      this.#waits.push(0);
      this.#order.push(place);
    }
  }

  get listed(): readonly Listed[] {
    return this.#listed;
  }

  /** How many are eligible. */
  get size(): number {
    return this.#size;
  }

  /** Starts anew. */
  begin(): void {
    this.#size = 0;
  }

  leaveOut(place: number): void {
    this.#scores[place] = 0;
    this.#waits[place] = OUT;
  }

  /** `waitMs` 0: room now; Infinity: at no known time. */
  take(place: number, score: number, waitMs: number): void {
    this.#scores[place] = score;
    this.#waits[place] = waitMs < UNKNOWN ? waitMs : UNKNOWN;
    this.#size++;
  }

  /** Puts the order right. */
  sort(): void {
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

  entry(rank: number): Listed {
    return this.#listed[this.#order[rank]!]!;
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

  /** The decision for the one of that rank, with the others as its alternatives; nothing writes to it later. */
  decision(rank: number, reasoning: ScoreBreakdown): Decision {
    const alternatives: Alternative[] = [];
    for (let other = 0; other < this.#size; other++) {
      if (other === rank) continue;
      const place = this.#order[other]!;
      alternatives.push({ provider: this.#listed[place]!.name, score: this.#scores[place]! });
    }
    const waitMs = this.waitMs(rank);
    const wait = waitMs === Number.POSITIVE_INFINITY ? null : waitMs;
    return new RankedDecision(this.entry(rank).name, this.score(rank), wait, reasoning, alternatives);
  }

  #compare(a: number, b: number): number {
    const waits = this.#waits;
    if (waits[a] !== waits[b]) return waits[a]! < waits[b]! ? -1 : 1;
    const scores = this.#scores;
    return scores[a] === scores[b] ? a - b : scores[b]! - scores[a]!;
  }
}
