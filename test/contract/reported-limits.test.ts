// The laws of reported limits, for every tracker and the servers that it is safe for.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MockClock, type QuotaConfig } from "../../src/index.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { type ReportingRun, runReporting } from "../support/simulation/reporting-run.ts";
import {
  fixedWindow,
  type LimitModel,
  slidingLog,
  tokenBucket,
  WINDOW_MS,
} from "../support/simulation/reporting-server.ts";
import { propertyRuns } from "../support/test-effort.ts";

type Strategy = "sliding_window" | "token_bucket" | "fixed_window";
type Kind = "fixed window" | "sliding log" | "token bucket";

const PHASE_MS = 17_000;
const SERVERS: { readonly [kind in Kind]: (limit: number, phaseMs: number) => LimitModel } = {
  "fixed window": fixedWindow,
  "sliding log": slidingLog,
  "token bucket": tokenBucket,
};

/** The trackers, and the servers that each is safe for without reports. */
const SUBJECTS: readonly { readonly strategy: Strategy; readonly kinds: readonly Kind[] }[] = [
  { strategy: "sliding_window", kinds: ["fixed window", "sliding log", "token bucket"] },
  { strategy: "token_bucket", kinds: ["token bucket"] },
  { strategy: "fixed_window", kinds: ["fixed window"] },
];

const CASES = SUBJECTS.flatMap(({ strategy, kinds }) => kinds.map((kind) => ({ strategy, kind })));

const runs = fc.record({
  seed: fc.nat(),
  limit: fc.oneof(fc.integer({ min: 3, max: 60 }), fc.integer({ min: 200, max: 400 })),
  dimension: fc.constantFrom("requests" as const, "tokens" as const),
  // The network delay that is credited by default is one second.
  thereMs: fc.constantFrom(0, 150, 1_000),
  backMs: fc.constantFrom(0, 150, 3_000, 9_000),
  aborts: fc.constantFrom(0, 0, 0.2),
  silent: fc.constantFrom(0, 0, 0.3),
  corrections: fc.constantFrom(0, 0.5, 1),
  round: fc.constantFrom(undefined, Math.floor, Math.round, Math.ceil),
  statesKind: fc.boolean(),
  statesReset: fc.constantFrom(true, true, false),
});

type Random = typeof runs extends fc.Arbitrary<infer T> ? T : never;

function planOf(strategy: Strategy, kind: Kind, random: Random, declared: number): ReportingRun {
  const { limit, dimension, seed } = random;
  const phaseMs = strategy === "fixed_window" ? PHASE_MS : WINDOW_MS * seededRandom(seed + 1)();
  // The clock of the simulation starts at Unix time 0.
  const resetEpochMs = strategy === "fixed_window" ? WINDOW_MS - PHASE_MS : undefined;
  const quota: QuotaConfig = { dimension, limit: declared, window: "minute", strategy, resetEpochMs };
  return { ...random, model: SERVERS[kind](limit, phaseMs), quota, untilMs: 6 * WINDOW_MS };
}

it("the clock of the simulation starts at Unix time 0", () => {
  const clock = new MockClock();
  expect([clock.now(), clock.epochNow()]).toEqual([0, 0]);
});

describe.each(CASES)("reports of a $kind to a $strategy quota", ({ strategy, kind }) => {
  it("the computed capacity is never above that of the server, and a true or lower limit gets no 429", () => {
    let most = 0;
    fc.assert(
      fc.property(runs, fc.constantFrom(1, 1, 0.6), (random, share) => {
        const declared = Math.max(1, Math.floor(share * random.limit));
        const { excess, refused, granted } = runReporting(planOf(strategy, kind, random, declared));
        most = Math.max(most, granted);
        expect(excess).toBeLessThanOrEqual(1e-6);
        expect(refused).toBe(0);
      }),
      { numRuns: propertyRuns(160) },
    );
    expect(most).toBeGreaterThan(100);
  });

  // A bucket of the declared limit was refilled too fast until then, and keeps a small part of that.
  const isInexact = strategy === "token_bucket";
  it("a limit that was declared too high is the reported one from the first report on", () => {
    fc.assert(
      fc.property(runs, fc.constantFrom(1.1, 2, 10), (random, factor) => {
        const declared = Math.ceil(factor * random.limit);
        const { excess, refusedLater, limiter } = runReporting({
          ...planOf(strategy, kind, random, declared),
          graceMs: isInexact ? WINDOW_MS : 0,
        });
        expect(excess).toBeLessThanOrEqual(isInexact ? Math.max(1, 0.05 * random.limit) : 1e-6);
        if (!isInexact) expect(refusedLater).toBe(0);
        expect(limiter.forecast("p")).toMatchObject([
          { ceiling: random.limit, ceilingSource: "header", limit: declared },
        ]);
      }),
      { numRuns: propertyRuns(80) },
    );
  });
});
