import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { TrialResult } from "./trials.ts";

const REPORT = fileURLToPath(new URL("../../.cache/conformance/mutants.json", import.meta.url));

/** Results of the last run of all files. */
export function lastReport(): TrialResult[] {
  return JSON.parse(readFileSync(REPORT, "utf8")) as TrialResult[];
}

export function writeReport(mutants: readonly TrialResult[]): void {
  writeFileSync(REPORT, JSON.stringify(mutants, null, 1));
}
