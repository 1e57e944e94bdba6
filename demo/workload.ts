import { seededRandom } from "./random.ts";
import { LOAD, totalRequestsPerSecond } from "./scenario.ts";

/** One request of the workload. */
export interface Arrival {
  readonly id: number;
  /** When it arrives, in ms since the start of a run. */
  readonly atMs: number;
  /** Its size, known beforehand. */
  readonly tokens: number;
}

/** A stretch of the workload in which requests come at one rate. */
interface Phase {
  readonly fromMs: number;
  readonly toMs: number;
  readonly weight: number;
}

/** The same requests at the same instants for the same seed, ordered by arrival. */
export function workload(seed: number): readonly Arrival[] {
  const random = seededRandom(seed);
  const phases = burstsAndCalms(random);
  const count = Math.round((LOAD.share * totalRequestsPerSecond() * LOAD.durationMs) / 1_000);
  const instants = Array.from({ length: count }, () => instantIn(phases, random)).sort((a, b) => a - b);
  return instants.map((atMs, id) => ({ id, atMs, tokens: sizeOf(random) }));
}

/** The largest number of requests that arrive within one second. */
export function peakPerSecond(arrivals: readonly Arrival[]): number {
  let peak = 0;
  let first = 0;
  arrivals.forEach(({ atMs }, last) => {
    while (arrivals[first]!.atMs <= atMs - 1_000) first++;
    peak = Math.max(peak, last - first + 1);
  });
  return peak;
}

/** Bursts of 1 to 1.5 s, at five times the rate of the calms of 1.5 to 2 s between them. */
function burstsAndCalms(random: () => number): readonly Phase[] {
  const phases: Phase[] = [];
  let fromMs = 0;
  for (let isBurst = false; fromMs < LOAD.durationMs; isBurst = !isBurst) {
    const lengthMs = (isBurst ? 1_000 : 1_500) + 500 * random();
    const toMs = Math.min(fromMs + lengthMs, LOAD.durationMs);
    phases.push({ fromMs, toMs, weight: (toMs - fromMs) * (isBurst ? 5 : 1) });
    fromMs = toMs;
  }
  return phases;
}

function instantIn(phases: readonly Phase[], random: () => number): number {
  let point = random() * phases.reduce((sum, { weight }) => sum + weight, 0);
  for (const { fromMs, toMs, weight } of phases) {
    if (point < weight) return fromMs + (point / weight) * (toMs - fromMs);
    point -= weight;
  }
  return LOAD.durationMs;
}

/** Most requests are small and a few are large: exponential around the mean, 40 to 2,000 tokens. */
function sizeOf(random: () => number): number {
  return Math.min(2_000, Math.max(40, Math.round(-Math.log(1 - random()) * LOAD.meanTokens)));
}
