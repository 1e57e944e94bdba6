import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { Missing, readyPython } from "../../conformance/engines/languages.ts";
import type { Side } from "./side-process.ts";

const here = dirname(fileURLToPath(import.meta.url));
export const root: string = dirname(dirname(here));
export const cache: string = join(root, ".cache/bench");

/** A program that can be a side, without what it is to do. */
export type Program = Omit<Side, "setup">;

/** Compiles the sides written in TypeScript against the built package, which is what users get; answers how one is started. */
export async function compiledSides(): Promise<(file: string, name: string, ...flags: string[]) => Program> {
  if (!existsSync(join(root, "dist/index.js"))) throw new Error('dist is missing: run "npm run build" first');
  const outdir = join(cache, "sides");
  const files = ["decisions", "calls", "growth", "reference"];
  await build({
    entryPoints: files.map((file) => join(here, `sides/${file}.ts`)),
    absWorkingDir: root,
    // The built package by its own name, not the sources that tsconfig.tools.json points at.
    tsconfig: join(root, "tsconfig.json"),
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

/** The published ports that this machine can run; what is missing is said. */
export function ports(): Program[] {
  return [rust(), python()].filter((program) => program !== null);
}

function rust(): Program | null {
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
    if (!(error instanceof Missing)) throw error;
    console.error(`left out: the Python package\n${error.message}`);
    return null;
  }
}
