// Scenario 2: `map` at one provider that is not as it was declared, or fails once.
import { afterAll, expect, it } from "vitest";
import { BATCHES } from "../../support/scenarios/batches.ts";
import { Dice } from "../../support/scenarios/random-plans.ts";
import { playScenario, type ScenarioReport } from "../../support/scenarios/scenario.ts";
import { seedsOf } from "../../support/scenarios/seeds.ts";
import { ScenarioTable } from "../../support/scenarios/table.ts";

const SEEDS = seedsOf(300, 3);
const table = new ScenarioTable("Scenario 2: map at one provider");
afterAll(() => console.log(String(table)));

it.each(Object.keys(BATCHES))("map loses nothing: %s", async (name) => {
  const problems: string[] = [];
  for (const seed of SEEDS) {
    const { plan, mostRefusedPerItem, mostTime, longestStandstillMs } = BATCHES[name]!(seed, new Dice(seed));
    const report = await playScenario(plan);
    const items = plan.calls.length;
    const refusedPerItem = report.refused / items;
    const idealMs = Math.max(...report.calls.map(({ oracleAt }) => oracleAt)) + plan.models[0]!.latencyMs;
    const good = report.calls.filter(({ isPoisonous }) => !isPoisonous);
    const time = Math.max(...good.map(({ endedAt }) => endedAt)) / idealMs;
    const standstillMs = longestStandstill(report);
    table.add(name, report, {
      "429s an item": refusedPerItem,
      "429s of one item": Math.max(...refusalsByItem(report)),
      "times the ideal": time,
      "standstill s": standstillMs / 1_000,
    });
    const lost = good.filter(({ isServed }) => !isServed);
    if (lost.length > 0) problems.push(`seed ${seed}: ${lost.length} of ${items} were lost: ${lost[0]!.error}`);
    if (refusedPerItem > (mostRefusedPerItem ?? Infinity)) {
      problems.push(`seed ${seed}: ${report.refused} refusals of ${items} items`);
    }
    if (time > (mostTime ?? Infinity)) problems.push(`seed ${seed}: ${time.toFixed(2)} times the ideal time`);
    if (standstillMs > (longestStandstillMs ?? Infinity))
      problems.push(`seed ${seed}: standstill of ${standstillMs} ms`);
    for (const problem of report.broken) problems.push(`seed ${seed}: ${problem}`);
  }
  expect(problems).toEqual([]);
});

/** Number of 429s of each item. */
function refusalsByItem({ providers, calls }: ScenarioReport): number[] {
  const refusals = calls.map(() => 0);
  for (const { log } of providers.values()) {
    for (const { call, outcome } of log) if (outcome.startsWith("429")) refusals[call]!++;
  }
  return refusals;
}

/** Longest time without a request that is served or in flight, before the last good item ended. */
function longestStandstill({ providers, calls }: ScenarioReport): number {
  const endMs = Math.max(...calls.filter(({ isPoisonous }) => !isPoisonous).map(({ endedAt }) => endedAt));
  const [provider] = providers.values();
  let longest = 0;
  let busyUntil = 0;
  for (const { at, answeredAt, outcome } of provider!.log) {
    if (outcome !== "ok") continue;
    longest = Math.max(longest, Math.min(at, endMs) - busyUntil);
    busyUntil = Math.max(busyUntil, answeredAt);
  }
  return longest;
}
