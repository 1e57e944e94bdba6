import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { run, runOrThrow } from "./command.ts";
import { root } from "./packed-project.ts";

/** A JavaScript runtime, as a package of the registry. */
export interface Runtime {
  /** The package, the command it brings, and what the runtime calls itself. */
  readonly name: "node" | "bun" | "deno";
  /** Exact, so that a failure is this package's doing and never a release's. */
  readonly version: string;
  readonly env?: NodeJS.ProcessEnv;
  /** The command lines of the scenario's entries, without the runtime itself. */
  readonly runs: readonly Run[];
}

export interface Run {
  readonly name: string;
  readonly args: readonly string[];
  /** The file that must have been loaded; undefined: the runtime's choice. */
  readonly loaded?: string;
}

const FETCH_LIMIT_MS = 600_000;

/**
 * The runtime's own executable, fetched into the cache folder unless it is there and works. A folder of its own for each
 * version: nothing here is a dependency of the repository.
 */
export async function fetched({ name, version, env }: Runtime): Promise<string> {
  const folder = join(root, ".cache/runtimes", `${name}-${version}`);
  const executable = join(folder, "node_modules/.bin", name);
  if (await saysItsVersion(executable, version, env)) return executable;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  // These packages put their executable in place with an install script, whatever the user's npm is set to.
  const scripts = "--ignore-scripts=false";
  const flags = [scripts, "--no-audit", "--no-fund", "--no-save", "--no-package-lock"];
  await runOrThrow("npm", ["install", "--prefix", folder, ...flags, `${name}@${version}`], {
    cwd: folder,
    timeLimitMs: FETCH_LIMIT_MS,
  });
  if (!(await saysItsVersion(executable, version, env))) throw new Error(`${name}@${version} does not start`);
  return executable;
}

async function saysItsVersion(executable: string, version: string, env: NodeJS.ProcessEnv = {}): Promise<boolean> {
  try {
    const { exitCode, stdout } = await run(executable, ["--version"], { cwd: root, env });
    return exitCode === 0 && stdout.split(/\s/).some((word) => word === version || word === `v${version}`);
  } catch {
    // There is no such file yet.
    return false;
  }
}
