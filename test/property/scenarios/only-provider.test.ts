// Scenario 3: the only provider answers 503 for a while, or at random.
import { afterAll, expect, it } from "vitest";
import { excessTrials, recoveryMs, sentBetween } from "../../support/scenarios/measures.ts";
import { Dice } from "../../support/scenarios/random-plans.ts";
import { playScenario, type ScenarioPlan, type ScenarioReport } from "../../support/scenarios/scenario.ts";
import { seedsOf } from "../../support/scenarios/seeds.ts";
import type { Fault } from "../../support/scenarios/simulated-provider.ts";
import { ScenarioTable } from "../../support/scenarios/table.ts";

const table = new ScenarioTable("Scenario 3: the only provider fails");
afterAll(() => console.log(String(table)));

/** Calls at regular instants from a random one on, or at random ones, `perSecond` on average. */
function plan(
  seed: number,
  parts: {
    readonly perSecond: number;
    readonly calls: number;
    readonly latencyMs: number;
    readonly fault: Fault;
    readonly patienceMs?: number;
    readonly isRegular?: boolean;
  },
): ScenarioPlan {
  const dice = new Dice(seed);
  const { perSecond, calls: count, latencyMs, fault, patienceMs, isRegular } = parts;
  const gapMs = 1_000 / perSecond;
  let at = dice.whole(0, gapMs);
  const calls = Array.from({ length: count }, () => {
    at += isRegular ? gapMs : dice.whole(0, 2 * gapMs);
    return { at, capability: "chat" };
  });
  const model = { name: "a", capacity: { kind: "unlimited" }, latencyMs, statesWait: false, refusalMs: 20 } as const;
  return {
    ...{ seed, kind: dice.one(["run", "stream"] as const), calls, patienceMs },
    ...{ models: [{ ...model, faults: [fault] }], declared: [{ name: "a" }], capabilities: { chat: ["a"] } },
  };
}

const outage = (fromMs: number, seconds: number): Fault => ({
  ...{ kind: "503", fromMs, toMs: fromMs + 1_000 * seconds, answerMs: 1, killed: 0 },
});

const failed = ({ calls }: ScenarioReport) => calls.filter(({ isServed }) => !isServed);

interface Outage {
  readonly title: string;
  readonly seconds: number;
  readonly perSecond: number;
  readonly latencyMs: number;
  readonly isRegular?: boolean;
  readonly mostLost: number;
  readonly recoveryMs: number;
  readonly mostSent?: number;
  readonly patienceMs?: number;
}

const OUTAGES: readonly Outage[] = [
  {
    ...{ title: "2 s, 10 regular calls/s, latency 0", seconds: 2, perSecond: 10, latencyMs: 0, isRegular: true },
    ...{ mostLost: 0, recoveryMs: 1_500 },
  },
  {
    ...{ title: "2 s, 10 regular calls/s, 300 ms", seconds: 2, perSecond: 10, latencyMs: 300, isRegular: true },
    ...{ mostLost: 0, recoveryMs: 2_200 },
  },
  {
    title: "2 s, 10 random calls/s, 300 ms",
    seconds: 2,
    perSecond: 10,
    latencyMs: 300,
    mostLost: 0,
    recoveryMs: 5_300,
  },
  { title: "2 s, 1 call/s, 300 ms", seconds: 2, perSecond: 1, latencyMs: 300, mostLost: 1, recoveryMs: 6_000 },
  {
    ...{ title: "10 minutes, 10 calls/s, 60 s of patience", seconds: 600, perSecond: 10, latencyMs: 300 },
    ...{ mostLost: Infinity, recoveryMs: 5_300, mostSent: 150 },
  },
  {
    ...{ title: "10 minutes, 10 calls/s, 1 s of patience", seconds: 600, perSecond: 10, latencyMs: 300 },
    ...{ mostLost: Infinity, recoveryMs: 5_300, mostSent: 150, patienceMs: 1_000 },
  },
];

it.each(OUTAGES)("an outage of the only provider costs seconds: $title", async (one) => {
  const problems: string[] = [];
  const isLong = one.seconds > 100;
  for (const seed of isLong ? seedsOf(50, 1) : seedsOf(300, 4)) {
    const fromMs = new Dice(seed + 7).whole(3_000, 20_000);
    const fault = outage(fromMs, one.seconds);
    const calls = isLong ? (one.seconds + 60) * one.perSecond : 1_000;
    const report = await playScenario(plan(seed, { ...one, calls, fault }));
    const [provider] = report.providers.values();
    const recovery = recoveryMs(provider!, fault);
    const sent = sentBetween(provider!, fault.fromMs, fault.toMs);
    const excess = excessTrials(provider!, fault);
    table.add(one.title, report, { "recovery ms": recovery, "sent meanwhile": sent, "excess trials": excess });
    const lost = failed(report);
    if (lost.length > one.mostLost) problems.push(`seed ${seed}: ${lost.length} were lost: ${lost[0]!.error}`);
    if (recovery > one.recoveryMs) problems.push(`seed ${seed}: sending again after ${recovery} ms`);
    if (sent > (one.mostSent ?? Infinity)) problems.push(`seed ${seed}: ${sent} were sent to the broken provider`);
    if (excess > 0) problems.push(`seed ${seed}: ${excess} requests too many were sent after the third failure`);
    for (const problem of report.broken) problems.push(`seed ${seed}: ${problem}`);
  }
  expect(problems).toEqual([]);
});

it("20 % random 503s at 100 calls/s: half of the calls take less than half a second", async () => {
  const problems: string[] = [];
  for (const seed of seedsOf(100, 2)) {
    const fault: Fault = { kind: "503", fromMs: 0, toMs: 3_600_000, answerMs: 300, share: 0.2, killed: 0 };
    const report = await playScenario(plan(seed, { perSecond: 100, calls: 3_000, latencyMs: 300, fault }));
    const took = report.calls.map(({ at, endedAt }) => endedAt - at).sort((a, b) => a - b);
    const median = took[took.length >> 1]!;
    table.add("20 % random 503s, 100 calls/s", report, { "p50 ms": median, "p95 ms": took[2_850]! });
    if (median >= 500) problems.push(`seed ${seed}: the median is ${median} ms`);
    for (const problem of report.broken) problems.push(`seed ${seed}: ${problem}`);
  }
  expect(problems).toEqual([]);
});
