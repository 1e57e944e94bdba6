import type { Engine } from "../../conformance/random/run.ts";
import type { Answer, Fixture } from "../../conformance/typescript/fixture.ts";
import { Player } from "../../conformance/typescript/player.ts";

/** This package's answers to a scenario. */
export function answersOf(scenario: Fixture): Answer[] {
  const player = new Player(scenario, "classic");
  return scenario.steps.map((step) => player.play(step));
}

/** This package as an engine; `twist` makes it a wrong one, by what it understands of a scenario. */
export function engine(twist: (scenario: Fixture) => Fixture = (scenario) => scenario): Engine {
  return { play: async (scenario) => answersOf(twist(scenario)) };
}

/** An engine that answers so, whatever it is asked. */
export function answering(...answers: Answer[]): Engine {
  return { play: async () => answers };
}
