// Measures how strong the fixtures are. First the fixtures alone run against every mutant of the code that the classic profile
// uses. A survivor then runs against the record: Python's answers to 2,000 random scenarios. If the record catches it, a
// fixture is missing. Otherwise survivors.json must list it, with the reason why no scenario can show it.
//
//   mutation.ts [FILE...]     files of src; default: all files that the classic fixtures run, except those that
//                             survivors.json lists as out of scope for scenarios
//   mutation.ts --all         runs also mutants that are out of scope against the record, which must not catch any
//   mutation.ts --last        compares the result of the last complete run with the current survivors.json
//
// Exit 1: a survivor is not listed, a listed one does not survive, the record catches one, or too many survive.
import { parseArgs } from "node:util";
import { candidatesOf } from "./candidates.ts";
import { sentenceOf } from "./mutant.ts";
import { reachedFiles } from "./reached-files.ts";
import { recordFile } from "./record.ts";
import { lastReport, writeReport } from "./report.ts";
import { isOutside, isWhollyOutside, judgeSurvivors } from "./survivors.ts";
import { type TrialResult, Trials } from "./trials.ts";

async function runTrials(files: readonly string[], isAll: boolean): Promise<TrialResult[]> {
  const candidates = await candidatesOf(files);
  const trials = new Trials(await recordFile());
  try {
    return await trials.run(candidates, (mutant) => isAll || !isOutside(mutant));
  } finally {
    trials.close();
  }
}

const options = { all: { type: "boolean" }, last: { type: "boolean" } } as const;
const { values, positionals } = parseArgs({ options, allowPositionals: true });
const isWhole = positionals.length === 0;
const files = isWhole ? (await reachedFiles()).filter((file) => !isWhollyOutside(file)) : positionals;
const mutants = values.last ? lastReport() : await runTrials(files, values.all === true);
if (!values.last && isWhole) writeReport(mutants);

const missed = mutants.filter(({ scenario }) => scenario !== null);
const problems = [
  ...missed.map((mutant) => `${mutant.scenario} catches it, and no fixture does: ${sentenceOf(mutant)}`),
  ...judgeSurvivors(mutants, files, isWhole),
];
for (const problem of problems) console.log(problem);
if (problems.length > 0) process.exitCode = 1;
