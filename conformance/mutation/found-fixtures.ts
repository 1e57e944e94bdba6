// Fixtures for what the last run of mutation.ts found that random scenarios catch, and no fixture does. For the mutants of
// one declaration at a time it takes the recorded scenario that catches most of them, drops from it what can go while it
// catches as many and the three engines agree, and writes it to conformance/found. What is to stay gets a name and a
// description that say what it shows, and moves to conformance/fixtures.
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { readyRunners } from "../engines/languages.ts";
import { TraceProcess } from "../engines/trace-process.ts";
import { fixtureOf, fixtureText } from "../random/expected.ts";
import { shrink, withProbesSpelledOut } from "../random/shrink.ts";
import { judge } from "../random/verdict.ts";
import type { Fixture } from "../typescript/fixture.ts";
import { candidatesOf } from "./candidates.ts";
import { type Candidate, sentenceOf } from "./mutant.ts";
import { readRecord, recordFile } from "./record.ts";
import { lastReport } from "./report.ts";
import { VariantPlayer } from "./variant-player.ts";

const FOUND = fileURLToPath(new URL("../found", import.meta.url));

const missed = lastReport().filter(({ scenario }) => scenario !== null);
const record = readRecord(await recordFile());
const scenarios = record.filter(({ scenario }) => missed.some((mutant) => mutant.scenario === scenario.name));
const player = new VariantPlayer({ scenarios });
const [typescript, python, rust] = readyRunners().map((runner) => new TraceProcess(runner));

/** The scenario as a fixture, if the three engines agree on it. */
async function agreedFixture(scenario: Fixture, description: string): Promise<Fixture | null> {
  try {
    const [ours, pythons, rusts] = await Promise.all([
      typescript!.play(scenario),
      python!.play(scenario),
      rust!.play(scenario),
    ]);
    const { violations, disagreements } = judge(scenario, { typescript: ours, python: pythons, rust: rusts });
    return violations.length === 0 && disagreements.size === 0 ? fixtureOf(scenario, pythons, description) : null;
  } catch {
    // One of them cannot play it.
    return null;
  }
}

async function catches({ variant }: Candidate, fixture: Fixture): Promise<boolean> {
  return player.ask(await variant(), `replay.failingFixture([${JSON.stringify(fixture)}])`) !== null;
}

/** A small fixture that catches all of these; null: the scenario has none on which the engines agree. */
async function fixtureFor(caught: readonly Candidate[], scenario: Fixture, description: string) {
  // Who was not caught last time is likely not to be caught the next time.
  const asked = [...caught];
  const isEnough = async (candidate: Fixture) => {
    const fixture = await agreedFixture(candidate, description);
    if (fixture === null) return false;
    for (const [place, one] of asked.entries()) {
      if (await catches(one, fixture)) continue;
      asked.unshift(...asked.splice(place, 1));
      return false;
    }
    return true;
  };
  const whole = withProbesSpelledOut(scenario);
  return (await isEnough(whole)) ? agreedFixture(await shrink(whole, isEnough), description) : null;
}

const keyOf = (candidate: Candidate["mutant"]) => `${sentenceOf(candidate)} ${candidate.line}`;
const wanted = new Set(missed.map(keyOf));
const files = [...new Set(missed.map(({ file }) => file))];
let left = (await candidatesOf(files)).filter(({ mutant }) => wanted.has(keyOf(mutant)));
mkdirSync(FOUND, { recursive: true });
for (let count = 1; left.length > 0; count++) {
  const { file, where } = left[0]!.mutant;
  const alike = left.filter(({ mutant }) => mutant.file === file && mutant.where === where);
  const catchers = new Map<string, Candidate[]>();
  for (const candidate of alike) {
    for (const name of player.list(await candidate.variant(), "replay.differingScenarios(scenarios)") as string[]) {
      catchers.set(name, [...(catchers.get(name) ?? []), candidate]);
    }
  }
  const best = [...catchers].sort(([, a], [, b]) => b.length - a.length);
  let fixture: Fixture | null = null;
  for (const [name, caught] of best) {
    const { scenario } = scenarios.find((recorded) => recorded.scenario.name === name)!;
    const description = caught.map(({ mutant }) => sentenceOf(mutant)).join("; ");
    fixture = await fixtureFor(caught, { ...scenario, name: `found-mutant-${count}` }, description);
    if (fixture !== null) break;
  }
  if (fixture === null) {
    console.log(`the engines agree on no scenario that catches ${sentenceOf(alike[0]!.mutant)}`);
    left = left.filter((candidate) => candidate !== alike[0]);
    continue;
  }
  writeFileSync(`${FOUND}/${fixture.name}.json`, fixtureText(fixture));
  const before = left.length;
  const isLeft = await Promise.all(left.map(async (candidate) => !(await catches(candidate, fixture))));
  left = left.filter((_, place) => isLeft[place]);
  console.log(
    `${fixture.name}: ${where}, ${before - left.length} mutants, ${fixture.steps.length} steps; ${left.length} are left`,
  );
}
for (const engine of [typescript, python, rust]) engine!.close();
