// Compares a limiter that gets no reports with one that gets the limits that the server states, over the three kinds of
// servers: 429s, and the 95th percentile of the waiting time. Part of `npm run bench:guarantees`.
import type { ReportedQuota } from "grate-limiter";
import {
  bursts,
  fixedWindow,
  type LimitModel,
  type Statement,
  simulate,
  slidingLog,
  type Trip,
  tokenBucket,
  WINDOW_MS,
} from "../test/support/simulation/reporting-server.ts";
import { seededRandom } from "./seeded-random.ts";

const LIMIT = 600;
const UNTIL_MS = 20 * WINDOW_MS;
const RUNS = 8;
/** Mean load without other users, as a share of the limit. */
const LOAD = 0.9;
const PHASE_MS = 35_000;
const WAY_MS = [20, 150] as const;

const SERVERS: readonly (readonly [name: string, make: (random: () => number) => LimitModel])[] = [
  ["fixed window", (random) => fixedWindow(LIMIT, random() * WINDOW_MS)],
  ["sliding log", () => slidingLog(LIMIT)],
  ["token bucket", () => tokenBucket(LIMIT)],
];

interface Scenario {
  readonly name: string;
  /** Declared limit. */
  readonly declared?: number;
  readonly load?: number;
  /** Share of the limit that other users of the key send. */
  readonly others?: number;
  /** Time of each way. */
  readonly thereMs?: readonly [least: number, most: number];
  readonly backMs?: readonly [least: number, most: number];
  readonly skewCapMs?: number;
  readonly round?: (seconds: number) => number;
}

const SCENARIOS: readonly Scenario[] = [
  { name: "true limit" },
  { name: "true limit, 20 % more load", load: 1.08 },
  { name: "limit declared twice too high", declared: 2 * LIMIT, load: 1.8 },
  { name: "another user with 30 %", others: 0.3 },
  { name: "resets in whole seconds, rounded down", round: Math.floor },
  { name: "resets in whole seconds, rounded", round: Math.round },
  { name: "answers 0 to 3 s late, reordered", backMs: [0, 3_000] },
  {
    name: "0 to 3 s each way, reordered, all delay credited",
    thereMs: [0, 3_000],
    backMs: [0, 3_000],
    skewCapMs: Infinity,
  },
];

/** Report as headers would carry it. */
function reportOf({ remaining, resetMs, resetKind }: Statement, { round }: Scenario): ReportedQuota {
  const report: ReportedQuota = { dimension: "requests", window: "minute", limit: LIMIT, remaining, resetKind };
  if (resetMs === undefined) return report;
  if (round === undefined) return { ...report, resetMs };
  return { ...report, resetMs: 1_000 * round(resetMs / 1_000), resolutionMs: 1_000 };
}

function row(scenario: Scenario, make: (random: () => number) => LimitModel, hasReports: boolean, seed: number) {
  const { declared = LIMIT, load = LOAD, others = 0, thereMs = WAY_MS, backMs = WAY_MS } = scenario;
  let sent = 0;
  let refused = 0;
  const waits: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    const random = seededRandom(seed + 7_919 * run);
    const low = (load * LIMIT) / 60 / 3;
    const between = (from: number, to: number): number => from + (to - from) * random();
    const trip = (): Trip => ({
      thereMs: between(...thereMs),
      workMs: between(50, 400),
      backMs: between(...backMs),
    });
    const rate = (others * LIMIT) / 60;
    const outcome = simulate({
      model: make(random),
      quota: { dimension: "requests", limit: declared, window: "minute" },
      random,
      arrivals: bursts(random, 5 * low, low, PHASE_MS, UNTIL_MS),
      others: others === 0 ? [] : bursts(random, rate, rate, WINDOW_MS, UNTIL_MS),
      untilMs: UNTIL_MS,
      options: scenario.skewCapMs === undefined ? {} : { skewCapMs: scenario.skewCapMs },
      trip,
      report: (statement) => (hasReports ? reportOf(statement, scenario) : undefined),
    });
    sent += outcome.sent;
    refused += outcome.refused;
    waits.push(...outcome.waits);
  }
  waits.sort((a, b) => a - b);
  const p95 = waits[Math.floor(0.95 * waits.length)] ?? 0;
  return `${((100 * refused) / sent).toFixed(2)} % (${refused} of ${sent}), p95 ${(p95 / 1_000).toFixed(2)} s`;
}

/** Prints one line per scenario and server. */
export function printReportedLimits(seed: number): void {
  for (const scenario of SCENARIOS) {
    for (const [name, make] of SERVERS) {
      const [before, after] = [false, true].map((hasReports) => row(scenario, make, hasReports, seed));
      console.log(`${scenario.name}, ${name}: without reports ${before}; with ${after}`);
    }
  }
}
