// Plays the same scenarios against this package and against the published Rust and Python engines.
//
//   conformance.ts                          every fixture in every language, then 1,000 random scenarios of a fixed seed
//                                           and 200 of a seed from the clock
//   conformance.ts --count N --seed S       every fixture, then N random scenarios of that seed (default: from the clock)
//
// Exit 1: a fixture fails, or a random scenario violates the rule. Exit 2: a required tool is missing.
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { printDocumentationClaims } from "./engines/documentation.ts";
import { printFixtureTable } from "./engines/fixture-table.ts";
import { MissingTool, type Runner, readyRunners } from "./engines/languages.ts";
import { TraceProcess } from "./engines/trace-process.ts";
import { RandomRun } from "./random/run.ts";

const FIXED_SEED = 20_250_101;
const FIXED_COUNT = 1_000;
const FRESH_COUNT = 200;

const { values } = parseArgs({ options: { seed: { type: "string" }, count: { type: "string" } } });
const runs = runsOf(wholeNumber("seed", values.seed), wholeNumber("count", values.count));

try {
  const runners = readyRunners();
  const python = runners.find(({ language }) => language === "python")!;
  const failures = [
    ...(await printFixtureTable(runners)),
    ...printDocumentationClaims(python),
    ...(await playRandomScenarios(runners)),
  ];
  for (const failure of failures) console.log(`FAIL: ${failure}`);
  if (failures.length > 0) process.exitCode = 1;
  else console.log("\nall three agree");
} catch (error) {
  if (!(error instanceof MissingTool)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}

function runsOf(seed: number | null, count: number | null): { seed: number; count: number }[] {
  const fresh = Date.now() % 2 ** 32;
  if (seed === null && count === null) {
    return [
      { seed: FIXED_SEED, count: FIXED_COUNT },
      { seed: fresh, count: FRESH_COUNT },
    ];
  }
  return [{ seed: seed ?? fresh, count: count ?? FIXED_COUNT }];
}

async function playRandomScenarios(runners: readonly Runner[]): Promise<string[]> {
  const [typescript, python, rust] = runners.map((runner) => new TraceProcess(runner));
  const engines = { typescript: typescript!, python: python!, rust: rust! };
  const run = new RandomRun(engines, fileURLToPath(new URL("found", import.meta.url)));
  try {
    for (const { seed, count } of runs) {
      console.log(`\nrandom scenarios: --seed ${seed} --count ${count}`);
      await run.play(seed, count);
    }
    for (const engine of Object.values(engines)) console.log(`${engine.language} engine: ${await engine.engine}`);
    return run.conclude();
  } finally {
    for (const engine of Object.values(engines)) engine.close();
  }
}

function wholeNumber(option: string, text: string | undefined): number | null {
  if (text === undefined) return null;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`--${option}: a whole number, not ${text}`);
  return value;
}
