import { fileURLToPath } from "node:url";
import type { Mutant } from "./mutant.ts";
import { sourceOf } from "./reached-files.ts";
import { enclosingName } from "./source-places.ts";
import { runStryker, type StrykerResult, VITEST_RUNNER } from "./stryker.ts";

/** The tests that mutants are put to. */
export type Trial = "fixtures" | "record";

const pathOf = (file: string) => fileURLToPath(new URL(`../../${file}`, import.meta.url));

/** Stryker's mutants of these files (or parts of files, as `file:line:column-line:column`), after the trial. */
export async function strykerMutants(files: readonly string[], trial: Trial): Promise<StrykerMutant[]> {
  const results = await runStryker({
    mutate: [...files],
    testRunner: "vitest",
    vitest: { configFile: `conformance/mutation/${trial}.vitest.config.ts`, related: false },
    coverageAnalysis: "perTest",
    plugins: [VITEST_RUNNER],
    // What need not be copied beside the sources, fixtures and tests.
    ignorePatterns: [".cache", "dist", "coverage", "conformance/found", ".venv", "target"],
    tempDirName: pathOf(".cache/stryker"),
    allowEmpty: true,
    // A busy machine must not pass for a mutant that never ends.
    timeoutMS: 60_000,
    concurrency: 2,
    reporters: ["progress-append-only"],
  });
  return results
    .filter(({ status }) => status !== "Ignored" && status !== "CompileError")
    .map((result) => mutantOf(result))
    .sort((a, b) => a.key.localeCompare(b.key));
}

/** A mutant of Stryker's, with its range for the next trial. */
export interface StrykerMutant extends Mutant {
  /** `file:line:column-line:column`, as the option `mutate` takes it. */
  readonly range: string;
  /** The same in each run over the same source. */
  readonly key: string;
}

function mutantOf(result: StrykerResult): StrykerMutant {
  const file = result.fileName.slice(result.fileName.lastIndexOf("/src/") + 1);
  const source = sourceOf(file);
  const lines = source.split("\n");
  const { start, end } = result.location;
  const offset = ({ line, column }: { line: number; column: number }) =>
    lines.slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0) + column - 1;
  const [from, to] = [offset(start), offset(end)];
  const range = `${file}:${start.line}:${start.column - 1}-${end.line}:${end.column - 1}`;
  const replacement = result.replacement ?? "";
  const isStatic = result.static ?? false;
  return {
    file,
    where: enclosingName(source, from),
    line: start.line,
    code: lines[start.line - 1]!,
    original: source.slice(from, to),
    replacement,
    // What is set up at import is there for every test.
    isReached: isStatic || (result.coveredBy ?? []).some((test) => test.includes("classic ")),
    fate: ["Killed", "Timeout", "RuntimeError"].includes(result.status) ? "caught" : "survived",
    range,
    key: `${range} ${replacement}`,
  };
}
