import { type Candidate, mutantAt } from "./mutant.ts";
import { sourceOf } from "./reached-files.ts";
import { instrumented } from "./stryker.ts";
import { bundleOf, type VariantPlayer } from "./variant-player.ts";

/** Expression for the mutants that instrumented code has run. */
const COVERED = "Object.keys(__stryker__.mutantCoverage?.static ?? {})";

/** Stryker's mutants of the code in these files that runs when `player` plays the classic fixtures, or at import. */
export async function strykerMutants(files: readonly string[], player: VariantPlayer): Promise<Candidate[]> {
  const { files: outputs, mutants } = await instrumented(new Map(files.map((file) => [file, sourceOf(file)])));
  const bundle = await bundleOf(new Map(outputs.map(({ name, content }) => [name, content])));
  const reached = new Set(player.list({ bundle }, `replay.failingFixture(classic), ${COVERED}`));
  return mutants
    .filter(({ id }) => reached.has(id))
    .map(({ id, fileName, location: { start, end }, replacement }) => {
      const source = sourceOf(fileName);
      const [place, after] = [offsetOf(source, start), offsetOf(source, end)];
      const mutant = mutantAt({ file: fileName, source, place }, source.slice(place, after), replacement);
      return { mutant, variant: async () => ({ bundle, activeMutant: id }) };
    });
}

function offsetOf(source: string, { line, column }: { readonly line: number; readonly column: number }): number {
  const before = source.split("\n").slice(0, line);
  return before.reduce((sum, text) => sum + text.length + 1, 0) + column;
}
