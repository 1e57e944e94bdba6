import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { readyPython } from "../engines/languages.ts";
import { TraceProcess } from "../engines/trace-process.ts";
import { scenarioOf } from "../random/scenario.ts";
import type { Fixture } from "../typescript/fixture.ts";
import type { RecordedScenario } from "./replay.ts";

const SEED = 1;
const COUNT = 2_000;
const FOLDER = fileURLToPath(new URL("../../.cache/conformance", import.meta.url));

/** Returns the path of the file with Python's answers to 2,000 random scenarios. Plays them first if there is no such file. */
export async function recordFile(): Promise<string> {
  const scenarios = Array.from({ length: COUNT }, (_, index) => scenarioOf(SEED, index));
  const hash = createHash("sha256").update(JSON.stringify(scenarios)).digest("hex").slice(0, 16);
  const file = `${FOLDER}/python-${hash}.jsonl`;
  if (!existsSync(file)) {
    const python = new TraceProcess(readyPython());
    const answers = await Promise.all(scenarios.map((scenario) => python.play(scenario)));
    python.close();
    mkdirSync(FOLDER, { recursive: true });
    const lines = scenarios.map((scenario, i) => `${JSON.stringify(scenario)}\n${JSON.stringify(answers[i])}\n`);
    writeFileSync(file, lines.join(""));
  }
  return file;
}

export function readRecord(file: string): RecordedScenario[] {
  const lines = readFileSync(file, "utf8").trimEnd().split("\n");
  return Array.from({ length: lines.length / 2 }, (_, i) => ({
    scenario: JSON.parse(lines[2 * i]!) as Fixture,
    answers: lines[2 * i + 1]!,
  }));
}
