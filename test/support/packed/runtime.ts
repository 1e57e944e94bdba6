import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { run, runOrThrow } from "./command.ts";
import { root } from "./packed-project.ts";

/** A JavaScript runtime as a package of the registry. */
export interface Runtime {
  /** The package, its command, and the name that the runtime reports. */
  readonly name: "node" | "bun" | "deno";
  /** An exact version, so that a failure is caused by this package and never by a release. */
  readonly version: string;
  readonly env?: NodeJS.ProcessEnv;
  /** The command lines of the entries of the scenario, without the runtime itself. */
  readonly runs: readonly Run[];
}

export interface Run {
  readonly name: string;
  readonly args: readonly string[];
  /** The file that must have been loaded. undefined: any. */
  readonly loaded?: string;
}

const FETCH_LIMIT_MS = 600_000;

/**
 * Returns the executable of the runtime. Fetches it into the cache folder unless it exists and works. Each version has
 * its own folder, and none is a dependency of the repository.
 */
export async function fetched({ name, version, env }: Runtime): Promise<string> {
  const folder = join(root, ".cache/runtimes", `${name}-${version}`);
  const executable = join(folder, "node_modules/.bin", name);
  if (await saysItsVersion(executable, version, env)) return executable;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  // These packages install their executable with a script, which runs whatever the npm settings of the user are.
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
    // The file does not exist yet.
    return false;
  }
}
