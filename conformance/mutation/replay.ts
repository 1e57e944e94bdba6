import { differencesOf, SAME_ARITHMETIC } from "../random/comparison.ts";
import { failuresOf } from "../typescript/expectations.ts";
import type { Answer, Fixture } from "../typescript/fixture.ts";
import { Player } from "../typescript/player.ts";

/** A scenario, and the answers of the Python package as JSON. */
export interface RecordedScenario {
  readonly scenario: Fixture;
  readonly answers: string;
}

/** Name of the first fixture that fails in one of its profiles; null: all pass. */
export function failingFixture(fixtures: readonly Fixture[]): string | null {
  for (const fixture of fixtures) {
    for (const profile of fixture.profile ?? ["classic"]) {
      if (fails(() => failuresOf(fixture, profile).length > 0)) return fixture.name;
    }
  }
  return null;
}

/** Name of the first recorded scenario with a different answer of this package; null: all answers are equal. */
export function differingScenario(record: readonly RecordedScenario[]): string | null {
  return record.find((recorded) => fails(() => differs(recorded)))?.scenario.name ?? null;
}

/** Names of all recorded scenarios with a different answer of this package. */
export function differingScenarios(record: readonly RecordedScenario[]): string[] {
  return record.filter((recorded) => fails(() => differs(recorded))).map(({ scenario }) => scenario.name);
}

function differs({ scenario, answers }: RecordedScenario): boolean {
  const player = new Player(scenario, "classic");
  const ours = scenario.steps.map((step) => player.play(step));
  // The answers are nearly always equal to the last bit, and comparing text is cheaper.
  if (JSON.stringify(ours) === answers) return false;
  const theirs = JSON.parse(answers) as Answer[];
  return ours.some((answer, place) => differencesOf(answer, theirs[place]!, SAME_ARITHMETIC).length > 0);
}

function fails(attempt: () => boolean): boolean {
  try {
    return attempt();
  } catch {
    return true;
  }
}
