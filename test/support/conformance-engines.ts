import type { Engine } from "../../conformance/random/run.ts";
import type { Answer, Fixture } from "../../conformance/typescript/fixture.ts";
import { Player } from "../../conformance/typescript/player.ts";

/** Returns the answers of this package to a scenario. */
export function answersOf(scenario: Fixture): Answer[] {
  const player = new Player(scenario, "classic");
  return scenario.steps.map((step) => player.play(step));
}

/** This package as an engine. `twist` makes it a wrong one, because it changes the scenario. */
export function engine(twist: (scenario: Fixture) => Fixture = (scenario) => scenario): Engine {
  return { play: async (scenario) => answersOf(twist(scenario)) };
}

/** An engine that always returns these answers. */
export function answering(...answers: Answer[]): Engine {
  return { play: async () => answers };
}
