// Scenario 1: a provider breaks with many requests in flight, and another one has capacity.
import { afterAll, expect, it } from "vitest";
import { excessTrials, recoveryMs } from "../../support/scenarios/measures.ts";
import { brokenProviderPlan } from "../../support/scenarios/random-plans.ts";
import { lostCalls, playScenario } from "../../support/scenarios/scenario.ts";
import { seedsOf } from "../../support/scenarios/seeds.ts";
import { ScenarioTable } from "../../support/scenarios/table.ts";

const SEEDS = seedsOf(1_000, 60);
const table = new ScenarioTable("Scenario 1: a provider breaks, another one has capacity");
afterAll(() => console.log(String(table)));

it("no call is lost when one of two or three providers breaks, and the broken one gets few requests", async () => {
  const problems: string[] = [];
  for (const seed of SEEDS) {
    // A thousand requests in flight take a second; a few of them are enough.
    const plan = brokenProviderPlan(seed, seed % 5 === 0 ? 1_000 : 100);
    const report = await playScenario(plan);
    const { fault } = plan;
    const [broken] = report.providers.values();
    const isLimit = fault.kind.startsWith("429");
    const excess = isLimit ? 0 : excessTrials(broken!, fault);
    const recovery = recoveryMs(broken!, fault);
    table.add(`${plan.kind}, ${fault.kind}`, report, {
      "excess trials": excess,
      ...(recovery < Infinity && { "recovery ms": recovery }),
    });
    for (const { index, error, countedFailures } of lostCalls(report).slice(0, 1)) {
      problems.push(`seed ${seed}: call ${index} was lost after ${countedFailures} failures: ${error}`);
    }
    if (excess > 0) problems.push(`seed ${seed}: ${excess} requests too many were sent to the broken provider`);
    for (const problem of report.broken) problems.push(`seed ${seed}: ${problem}`);
  }
  expect(problems).toEqual([]);
});
