// What is done, the same on every side, in whatever language: the same calls with the same amounts at the same instants.
//
//   setup: providers p0, p1, ... with a requests and a tokens quota of a minute each, and one capability "c" of all of them;
//          a share of every limit is taken at once, then `prefill` observations go round the providers, so that a window has
//          passed and is full of what it will hold
//   select: the clock goes on, `select`, the score and every alternative's name and score are read
//   observe: the clock goes on, `observe` of the next provider
//   both: the clock goes on, `select`, all read as above, `observe` of the provider chosen; "both-unread" leaves the alternatives
//
// Regimes: "ordinary" has room on all providers, equal answers, steps of 1 ms; "hard" is at 99 % of all limits, with latencies,
// sizes and failures that change from request to request, and steps of 0 to 3 ms.
import { seededRandom } from "../seeded-random.ts";

export type Work = "select" | "observe" | "both" | "both-unread";

/** What happens at operation i stands at i modulo the length, which is a power of two. */
export interface Tape {
  readonly steps: readonly number[];
  readonly tokens: readonly number[];
  readonly latencies: readonly number[];
  /** 0 success, 1 server_error, 2 rate_limited. */
  readonly statuses: readonly number[];
}

/** All that a side has to know, as plain data. */
export interface Setup {
  readonly work: Work;
  readonly providers: number;
  /** The limits a minute of each provider. */
  readonly requests: number;
  readonly tokens: number;
  /** Share of every limit that is taken at the start. */
  readonly drained: number;
  /** Observations before anything is timed. */
  readonly prefill: number;
  readonly tape: Tape;
}

const LENGTH = 4_096;
const PREFILLED_MS = 61_000;
const LOAD = 0.99;

export function ordinary(work: Work, providers: number): Setup {
  const all = (value: number): number[] => new Array<number>(LENGTH).fill(value);
  const tape = { steps: all(1), tokens: all(100), latencies: all(50), statuses: all(0) };
  return { work, providers, requests: 1e6, tokens: 1e9, drained: 0, prefill: PREFILLED_MS, tape };
}

export function hard(work: Work, providers: number): Setup {
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
  return { work, providers, requests, tokens: Math.ceil(requests * meanTokens), drained: LOAD, prefill, tape };
}
