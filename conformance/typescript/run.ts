// Plays scenarios of the shared fixture format against this package.
//
//   run.ts [FILE...]   checks fixture files (default: all of ../fixtures) in each profile that they name, and prints one
//                      JSON line per fixture and profile; exit 1 if one fails
//   run.ts --trace     reads one scenario per line from stdin, plays it in the classic profile, and writes one line for it:
//                      {"name", "answers"}; answers[i] is the full answer to steps[i]
import { readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { failuresOf } from "./expectations.ts";
import type { Fixture } from "./fixture.ts";
import { Player } from "./player.ts";

const FIXTURES = fileURLToPath(new URL("../fixtures", import.meta.url));

/** Version of this package. */
function engineVersion(): string {
  const manifest = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(manifest) as { version: string }).version;
}

/** Paths of all fixture files. */
export function fixtureFiles(): string[] {
  const names = readdirSync(FIXTURES).filter((name) => name.endsWith(".json"));
  return names.sort().map((name) => `${FIXTURES}/${name}`);
}

export function readFixture(file: string): Fixture {
  return JSON.parse(readFileSync(file, "utf8")) as Fixture;
}

function checkFiles(files: readonly string[]): void {
  const engine = engineVersion();
  for (const file of files) {
    const fixture = readFixture(file);
    for (const profile of fixture.profile ?? ["classic"]) {
      const failures = failuresOf(fixture, profile);
      const result = failures.length === 0 ? "pass" : "fail";
      if (result === "fail") process.exitCode = 1;
      console.log(JSON.stringify({ fixture: fixture.name, language: "typescript", engine, profile, result, failures }));
    }
  }
}

async function trace(): Promise<void> {
  console.error(`typescript engine: grate-limiter ${engineVersion()}`);
  for await (const line of createInterface({ input: process.stdin })) {
    const fixture = JSON.parse(line) as Fixture;
    const player = new Player(fixture, "classic");
    const answers = fixture.steps.map((step) => player.play(step));
    console.log(JSON.stringify({ name: fixture.name, answers }));
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const args = process.argv.slice(2);
  if (args[0] === "--trace") await trace();
  else checkFiles(args.length > 0 ? args : fixtureFiles());
}
