import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { MissingTool, readyPython } from "../../conformance/engines/languages.ts";
import type { Side } from "./side-process.ts";

const here = dirname(fileURLToPath(import.meta.url));
export const root: string = dirname(dirname(here));
export const cache: string = join(root, ".cache/bench");

/** A side without its setup. */
export type Program = Omit<Side, "setup">;

/** Returns the program of a side file. The first argument of the side selects the work, and is its name by default. */
export type Programs = (file: string, name: string, ...flags: string[]) => Program;

/** Compiles the TypeScript sides against this package as users get it, which is dist. */
export async function compiledSides(): Promise<Programs> {
  if (!existsSync(join(root, "dist/index.js"))) throw new Error('dist is missing: run "npm run build" first');
  return compiled(join(cache, "sides"), {});
}

/** Compiles the same sides against another build of the package: the path of its dist/index.js. */
export async function compiledAgainst(path: string): Promise<Programs> {
  if (!existsSync(path)) throw new Error(`--against: no file at ${path}`);
  return compiled(join(cache, "sides-against"), { "grate-limiter": resolve(path) });
}

async function compiled(outdir: string, alias: { [name: string]: string }): Promise<Programs> {
  const files = ["calls", "cold", "decisions", "growth", "reference", "scaling"];
  await build({
    entryPoints: files.map((file) => join(here, `sides/${file}.ts`)),
    absWorkingDir: root,
    // The configurations of this repository would resolve the package's name to src.
    tsconfigRaw: {},
    alias,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    outdir,
    outExtension: { ".js": ".mjs" },
  });
  return (file, name, ...flags) => ({
    name,
    command: process.execPath,
    args: [...flags, join(outdir, `${file}.mjs`), name],
  });
}

/** The published ports that this machine can run. A missing one is reported on stderr. */
export function ports(): Program[] {
  return [rust(), python()].filter((program) => program !== null);
}

/** The published Rust crate, or null if this machine cannot build it. */
export function rust(): Program | null {
  const manifest = join(here, "rust/Cargo.toml");
  const flags = ["build", "--release", "--locked", "--quiet", "--manifest-path", manifest];
  const { status } = spawnSync("cargo", flags, { stdio: ["ignore", "inherit", "inherit"] });
  if (status === 0) return { name: "rust", command: join(here, "rust/target/release/grate-limiter-speed"), args: [] };
  console.error("left out: the Rust crate, which needs cargo and the crates of bench/speed/rust/Cargo.lock");
  return null;
}

function python(): Program | null {
  try {
    return { name: "python", command: readyPython().command, args: [join(here, "python/side.py")], every: 40 };
  } catch (error) {
    if (!(error instanceof MissingTool)) throw error;
    console.error(`left out: the Python package\n${error.message}`);
    return null;
  }
}
