// Stryker, and its runner for vitest: fetched on demand into the cache folder, for `npm ci` would bring 150 packages that
// nothing else needs.
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";

// Exact, so that figures change with this repository alone.
const VERSION = "9.6.1";
const CORE = "@stryker-mutator/core";
export const VITEST_RUNNER = "@stryker-mutator/vitest-runner";

// Within the repository, so that the runner finds the repository's vitest above it.
const FOLDER = fileURLToPath(new URL(`../../.cache/stryker-${VERSION}/`, import.meta.url));

/** A mutant and its end, as Stryker tells it: lines and columns from 1 on. */
export interface StrykerResult {
  readonly fileName: string;
  readonly status: string;
  readonly location: { readonly start: Position; readonly end: Position };
  readonly replacement?: string;
  readonly static?: boolean;
  readonly coveredBy?: readonly string[];
}

interface Position {
  readonly line: number;
  readonly column: number;
}

/** What is used of Stryker. */
interface StrykerModule {
  readonly Stryker: new (options: object) => { runMutationTest(): Promise<StrykerResult[]> };
}

/** One run of Stryker with these options. */
export async function runStryker(options: object): Promise<StrykerResult[]> {
  if (!isFetched()) fetchBoth();
  const entry = `${FOLDER}node_modules/${CORE}/dist/src/index.js`;
  const { Stryker } = (await import(pathToFileURL(entry).href)) as StrykerModule;
  return new Stryker(options).runMutationTest();
}

function isFetched(): boolean {
  return [CORE, VITEST_RUNNER].every((name) => {
    try {
      const manifest = readFileSync(`${FOLDER}node_modules/${name}/package.json`, "utf8");
      return (JSON.parse(manifest) as { version: string }).version === VERSION;
    } catch {
      return false;
    }
  });
}

function fetchBoth(): void {
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(`${FOLDER}package.json`, JSON.stringify({ private: true }));
  // Without peers: a vitest of its own would not know the tests of this one.
  const flags = ["--legacy-peer-deps", "--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--no-package-lock"];
  const packages = [CORE, VITEST_RUNNER].map((name) => `${name}@${VERSION}`);
  // --prefix, for a script that npm runs inherits the prefix of the repository.
  const { status, error } = spawnSync("npm", ["install", "--prefix", FOLDER, ...flags, ...packages], {
    cwd: FOLDER,
    stdio: ["ignore", "inherit", "inherit"],
  });
  if (status !== 0) throw new Error(`Stryker ${VERSION} could not be fetched`, { cause: error });
}
