import { differencesOf, SAME_ARITHMETIC } from "../random/comparison.ts";
import { failuresOf } from "../typescript/expectations.ts";
import type { Answer, Fixture } from "../typescript/fixture.ts";
import { Player } from "../typescript/player.ts";

/** A scenario, and what the Python package answered to it, as JSON. */
export interface Recorded {
  readonly scenario: Fixture;
  readonly answers: string;
}

/** The name of the first fixture that fails in one of its profiles; null: all pass. */
export function failingFixture(fixtures: readonly Fixture[]): string | null {
  for (const fixture of fixtures) {
    for (const profile of fixture.profile ?? ["classic"]) {
      if (fails(() => failuresOf(fixture, profile).length > 0)) return fixture.name;
    }
  }
  return null;
}

/** The name of the first recorded scenario to which this package answers otherwise; null: to none. */
export function differingScenario(record: readonly Recorded[]): string | null {
  return record.find((recorded) => fails(() => differs(recorded)))?.scenario.name ?? null;
}

/** The names of all of them. */
export function differingScenarios(record: readonly Recorded[]): string[] {
  return record.filter((recorded) => fails(() => differs(recorded))).map(({ scenario }) => scenario.name);
}

function differs({ scenario, answers }: Recorded): boolean {
  const player = new Player(scenario, "classic");
  const ours = scenario.steps.map((step) => player.play(step));
  // Mostly they are equal to the last bit.
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
