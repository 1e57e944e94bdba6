import { fixtureFiles, readFixture } from "../typescript/run.ts";
import type { Candidate } from "./mutant.ts";
import { ownMutants } from "./own-mutants.ts";
import { strykerMutants } from "./stryker-mutants.ts";
import { VariantPlayer } from "./variant-player.ts";

/** Returns every mutant of the code in these files that the classic fixtures run. */
export async function candidatesOf(files: readonly string[]): Promise<Candidate[]> {
  const fixtures = fixtureFiles().map(readFixture);
  const classic = fixtures.filter(({ profile = ["classic"] }) => profile.includes("classic"));
  const player = new VariantPlayer({ classic: classic.map((fixture) => ({ ...fixture, profile: ["classic"] })) });
  return [...(await ownMutants(files, player)), ...(await strykerMutants(files, player))];
}
