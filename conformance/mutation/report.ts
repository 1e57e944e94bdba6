import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Tried } from "./trials.ts";

const REPORT = fileURLToPath(new URL("../../.cache/conformance/mutants.json", import.meta.url));

/** What the last run of all files found. */
export function lastReport(): Tried[] {
  return JSON.parse(readFileSync(REPORT, "utf8")) as Tried[];
}

export function writeReport(mutants: readonly Tried[]): void {
  writeFileSync(REPORT, JSON.stringify(mutants, null, 1));
}
