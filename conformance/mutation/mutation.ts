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
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Mutant } from "./mutant.ts";
import { sentenceOf } from "./mutant.ts";
import { ownMutants } from "./own-mutants.ts";
import { reachedFiles } from "./reached-files.ts";
import { recordFile } from "./record.ts";
import { strykerMutants } from "./stryker-mutants.ts";
import { isOutside, isWhollyOutside, judgeSurvivors } from "./survivors.ts";

const REPORT = fileURLToPath(new URL("../../.cache/conformance/mutants.json", import.meta.url));

interface Found {
  readonly mutants: readonly Mutant[];
  /** Mutants that random scenarios catch, and no fixture does. */
  readonly missed: readonly Mutant[];
}

async function found(files: readonly string[], isForRecord: (mutant: Mutant) => boolean): Promise<Found> {
  const record = await recordFile();
  process.env["CONFORMANCE_RECORD"] = record;
  const own = await ownMutants(files, record, isForRecord);
  console.log(`numbers and order: ${own.length} mutants`);
  const strykers = await strykerMutants(files, "fixtures");
  const survivors = strykers.filter((mutant) => mutant.isReached && mutant.fate === "survived" && isForRecord(mutant));
  const ranges = [...new Set(survivors.map(({ range }) => range))];
  const replayed = ranges.length === 0 ? [] : await strykerMutants(ranges, "record");
  const seen = new Set(replayed.filter(({ fate }) => fate === "caught").map(({ key }) => key));
  return {
    mutants: [...own, ...strykers],
    missed: [...own.filter(({ isSeenInRecord }) => isSeenInRecord), ...survivors.filter(({ key }) => seen.has(key))],
  };
}

const options = { all: { type: "boolean" }, last: { type: "boolean" } } as const;
const { values, positionals } = parseArgs({ options, allowPositionals: true });
const isWhole = positionals.length === 0;
const files = isWhole ? (await reachedFiles()).filter((file) => !isWhollyOutside(file)) : positionals;
const { mutants, missed } = values.last
  ? (JSON.parse(readFileSync(REPORT, "utf8")) as Found)
  : await found(files, (mutant) => values.all === true || !isOutside(mutant));
if (!values.last && isWhole) writeFileSync(REPORT, JSON.stringify({ mutants, missed }, null, 1));

const problems = [
  ...missed.map((mutant) => `random scenarios catch it, and no fixture does: ${sentenceOf(mutant)}`),
  ...judgeSurvivors(mutants, files, isWhole),
];
for (const problem of problems) console.log(problem);
if (problems.length > 0) process.exitCode = 1;
