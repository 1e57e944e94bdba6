// Writes fixtures for the mutants that, in the last run of mutation.ts, random scenarios caught but no fixture did.
//
// It works on the mutants of one declaration at a time. It takes the recorded scenario that catches most of them, and shrinks
// it as long as it catches the same mutants and the three engines agree. The result goes to conformance/found. To keep a
// fixture, give it a name and a description of its purpose, and move it to conformance/fixtures.
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

/** Returns the scenario as a fixture; null if the three engines do not agree on it. */
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
    // An engine cannot play the scenario.
    return null;
  }
}

async function catches({ variant }: Candidate, fixture: Fixture): Promise<boolean> {
  return player.ask(await variant(), `replay.failingFixture([${JSON.stringify(fixture)}])`) !== null;
}

/** Returns a small fixture that catches all these mutants. Null: the engines do not agree on the scenario. */
async function fixtureFor(caught: readonly Candidate[], scenario: Fixture, description: string) {
  // A mutant that escaped once is likely to escape again, so it moves to the front.
  const ordered = [...caught];
  const isEnough = async (candidate: Fixture) => {
    const fixture = await agreedFixture(candidate, description);
    if (fixture === null) return false;
    for (const [place, one] of ordered.entries()) {
      if (await catches(one, fixture)) continue;
      ordered.unshift(...ordered.splice(place, 1));
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
let remaining = (await candidatesOf(files)).filter(({ mutant }) => wanted.has(keyOf(mutant)));
mkdirSync(FOUND, { recursive: true });
for (let count = 1; remaining.length > 0; count++) {
  const { file, where } = remaining[0]!.mutant;
  const related = remaining.filter(({ mutant }) => mutant.file === file && mutant.where === where);
  const catchers = new Map<string, Candidate[]>();
  for (const candidate of related) {
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
    console.log(`the engines agree on no scenario that catches ${sentenceOf(related[0]!.mutant)}`);
    remaining = remaining.filter((candidate) => candidate !== related[0]);
    continue;
  }
  writeFileSync(`${FOUND}/${fixture.name}.json`, fixtureText(fixture));
  const before = remaining.length;
  const isLeft = await Promise.all(remaining.map(async (candidate) => !(await catches(candidate, fixture))));
  remaining = remaining.filter((_, place) => isLeft[place]);
  console.log(
    `${fixture.name}: ${where}, ${before - remaining.length} mutants, ${fixture.steps.length} steps; ${remaining.length} remain`,
  );
}
for (const engine of [typescript, python, rust]) engine!.close();
