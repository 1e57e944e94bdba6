// How strong the fixtures are: every mutant of the code that the classic profile runs is put to the fixtures alone. What
// survives is put to Python's recorded answers to 2,000 random scenarios: caught there, it needs a fixture; else it is in
// survivors.json, with the reason why no scenario can show it.
//
//   mutation.ts [FILE...]     files of src; missing: all that the classic fixtures run, but for those of which the list
//                             says that they are for what scenarios do not have
//   mutation.ts --all         puts mutants of code for what scenarios do not have to the record, too: nothing may catch them
//   mutation.ts --last        judges what the last run of all files found by the list as it is now
//
// Exit 1: a survivor is not listed, a listed one does not survive, the record catches one, or too many are left.
import { parseArgs } from "node:util";
import { candidatesOf } from "./candidates.ts";
import { sentenceOf } from "./mutant.ts";
import { reachedFiles } from "./reached-files.ts";
import { recordFile } from "./record.ts";
import { lastReport, writeReport } from "./report.ts";
import { isOutside, isWhollyOutside, judgeSurvivors } from "./survivors.ts";
import { Trials, type Tried } from "./trials.ts";

async function tried(files: readonly string[], isAll: boolean): Promise<Tried[]> {
  const candidates = await candidatesOf(files);
  const trials = new Trials(await recordFile());
  try {
    return await trials.put(candidates, (mutant) => isAll || !isOutside(mutant));
  } finally {
    trials.close();
  }
}

const options = { all: { type: "boolean" }, last: { type: "boolean" } } as const;
const { values, positionals } = parseArgs({ options, allowPositionals: true });
const isWhole = positionals.length === 0;
const files = isWhole ? (await reachedFiles()).filter((file) => !isWhollyOutside(file)) : positionals;
const mutants = values.last ? lastReport() : await tried(files, values.all === true);
if (!values.last && isWhole) writeReport(mutants);

const missed = mutants.filter(({ scenario }) => scenario !== null);
const problems = [
  ...missed.map((mutant) => `${mutant.scenario} catches it, and no fixture does: ${sentenceOf(mutant)}`),
  ...judgeSurvivors(mutants, files, isWhole),
];
for (const problem of problems) console.log(problem);
if (problems.length > 0) process.exitCode = 1;
