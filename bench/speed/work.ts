// The work of the speed benchmark. Every side, in any language, makes the same calls with the same amounts at the same instants.
//
//   setup: providers p0, p1, ... with a requests quota and a tokens quota of one minute each, and one capability "c" of all
//          providers. A share of every limit is used immediately. Then `prefill` observations go to the providers in turn, so
//          that more than one window has passed.
//   select: the clock advances, `select`, the score and the name and score of every alternative are read
//   observe: the clock advances, `observe` of the next provider
//   both: the clock advances, `select`, all read as above, `observe` of the selected provider
//   lease, acquire: the clock advances, `tryAcquire` or `acquire`, then `settle` with the same usage and outcome
//   run: the clock advances, `run` of an empty function
//
// The last three exist in this package only. Regimes: "ordinary" has room on all providers, equal outcomes and steps of 1 ms.
// "hard" is at 99 % of all limits, with latencies, sizes and failures that change from request to request, and steps of 0 to
// 3 ms.
import { seededRandom } from "../seeded-random.ts";

export type Work = "select" | "observe" | "both" | "lease" | "acquire" | "run";

/** The inputs of operation i are at index i modulo the length, which is a power of two. */
export interface Tape {
  readonly steps: readonly number[];
  readonly tokens: readonly number[];
  readonly latencies: readonly number[];
  /** 0 success, 1 server_error, 2 rate_limited. */
  readonly statuses: readonly number[];
}

/** Everything that a side needs, as plain data. */
export interface Setup {
  readonly work: Work;
  readonly providers: number;
  /** Every observation names the capability "c". */
  readonly capability: boolean;
  /** Every request states its tokens before it is sent. This package only. */
  readonly isDemandStated: boolean;
  /** The first provider is in a cooldown all the time. This package only. */
  readonly hasCooldown: boolean;
  /** The limits of each provider per minute. */
  readonly requests: number;
  readonly tokens: number;
  /** Share of every limit that is used at the start. */
  readonly drained: number;
  /** Number of observations before the timed operations. */
  readonly prefill: number;
  readonly tape: Tape;
}

const LENGTH = 4_096;
const PREFILLED_MS = 61_000;
const LOAD = 0.99;
const PLAIN = { capability: true, isDemandStated: false, hasCooldown: false };

export function ordinary(work: Work, providers: number, differences: Partial<Setup> = {}): Setup {
  const all = (value: number): number[] => new Array<number>(LENGTH).fill(value);
  const tape = { steps: all(1), tokens: all(100), latencies: all(50), statuses: all(0) };
  const limits = { requests: 1e6, tokens: 1e9, drained: 0 };
  return { ...PLAIN, work, providers, ...limits, prefill: PREFILLED_MS, tape, ...differences };
}

export function hard(work: Work, providers: number, differences: Partial<Setup> = {}): Setup {
  const random = seededRandom(6);
  const steps: number[] = [];
  const tokens: number[] = [];
  const latencies: number[] = [];
  const statuses: number[] = [];
  for (let i = 0; i < LENGTH; i++) {
    steps.push(Math.floor(random() * 4));
    tokens.push(50 + Math.floor(random() * 101));
    latencies.push(20 + Math.floor(random() ** 3 * 2_000));
    const luck = random();
    statuses.push(luck < 0.02 ? 1 : luck < 0.03 ? 2 : 0);
  }
  const meanStepMs = steps.reduce((sum, step) => sum + step) / LENGTH;
  const requests = Math.ceil(60_000 / meanStepMs / LOAD / providers);
  const meanTokens = tokens.reduce((sum, amount) => sum + amount) / LENGTH;
  const prefill = Math.ceil(PREFILLED_MS / meanStepMs);
  const tape = { steps, tokens, latencies, statuses };
  const limits = { requests, tokens: Math.ceil(requests * meanTokens), drained: LOAD };
  return { ...PLAIN, work, providers, ...limits, prefill, tape, ...differences };
}
