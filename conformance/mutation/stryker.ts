// Stryker's instrumenter writes all its mutants into the code, of which one at a time is active. It is fetched on demand into
// the cache folder, because nothing else needs it.
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";

// An exact version, so that figures change only with this repository.
const VERSION = "9.6.1";
const PACKAGE = "@stryker-mutator/instrumenter";

const FOLDER = fileURLToPath(new URL(`../../.cache/stryker-${VERSION}/`, import.meta.url));

/** Code that contains its mutants. */
export interface InstrumentedCode {
  readonly files: readonly { readonly name: string; readonly content: string }[];
  readonly mutants: readonly {
    readonly id: string;
    readonly fileName: string;
    readonly replacement: string;
    readonly location: { readonly start: Position; readonly end: Position };
  }[];
}

/** Position in a file; both numbers start at 0. */
interface Position {
  readonly line: number;
  readonly column: number;
}

/** Part of the instrumenter's interface that is used here. */
interface InstrumenterModule {
  readonly Instrumenter: new (
    logger: object,
  ) => { instrument(files: object, options: object): Promise<InstrumentedCode> };
}

/** Returns these files with all their mutants. */
export async function instrumented(files: ReadonlyMap<string, string>): Promise<InstrumentedCode> {
  if (!isFetched()) fetchInstrumenter();
  const entry = `${FOLDER}node_modules/${PACKAGE}/dist/src/index.js`;
  const { Instrumenter } = (await import(pathToFileURL(entry).href)) as InstrumenterModule;
  const silent = { debug() {}, info() {}, isDebugEnabled: () => false };
  const inputs = [...files].map(([name, content]) => ({ name, content, mutate: true }));
  return new Instrumenter(silent).instrument(inputs, { plugins: null, excludedMutations: [], ignorers: [] });
}

function isFetched(): boolean {
  try {
    const manifest = readFileSync(`${FOLDER}node_modules/${PACKAGE}/package.json`, "utf8");
    return (JSON.parse(manifest) as { version: string }).version === VERSION;
  } catch {
    return false;
  }
}

function fetchInstrumenter(): void {
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(`${FOLDER}package.json`, JSON.stringify({ private: true }));
  const flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--no-package-lock"];
  // --prefix is necessary, because a script that npm runs inherits the prefix of the repository.
  const { status, error } = spawnSync("npm", ["install", "--prefix", FOLDER, ...flags, `${PACKAGE}@${VERSION}`], {
    cwd: FOLDER,
    stdio: ["ignore", "inherit", "inherit"],
  });
  if (status !== 0) throw new Error(`${PACKAGE} ${VERSION} could not be fetched`, { cause: error });
}
