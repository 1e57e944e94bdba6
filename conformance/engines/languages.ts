import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** Compared engines, by their language. */
export const LANGUAGES = ["typescript", "python", "rust"] as const;
export type Language = (typeof LANGUAGES)[number];

/** Command that starts a runner. All runners take the same further arguments. */
export interface Runner {
  readonly language: Language;
  readonly command: string;
  readonly leadingArguments: readonly string[];
}

const pathOf = (file: string) => fileURLToPath(new URL(file, import.meta.url));
const CARGO_MANIFEST = pathOf("../rust/Cargo.toml");
const LEAST_PYTHON = [3, 10] as const;
const LEAST_RUST = [1, 85] as const;

/** A required tool is missing; the message names it. */
export class MissingTool extends Error {}

/** Builds the runners if necessary, and returns the three of them. Throws `MissingTool` with all missing tools. */
export function readyRunners(): Runner[] {
  const python = findPython();
  const problems = [...(python.problem ?? []), ...cargoProblem()];
  if (problems.length > 0) throw new MissingTool(problems.join("\n"));
  const cargo = ["--release", "--locked", "--quiet", "--manifest-path", CARGO_MANIFEST];
  const build = spawnSync("cargo", ["build", ...cargo], { stdio: ["ignore", "inherit", "inherit"] });
  if (build.status !== 0) {
    throw new MissingTool("missing: the Rust runner did not build; it needs the crates of conformance/rust/Cargo.lock");
  }
  return [
    {
      language: "typescript",
      command: process.execPath,
      // The loader that lets this process read TypeScript works for that process too.
      leadingArguments: [...process.execArgv, pathOf("../typescript/run.ts")],
    },
    { language: "python", command: python.command, leadingArguments: [pathOf("../python/run.py")] },
    { language: "rust", command: "cargo", leadingArguments: ["run", ...cargo, "--"] },
  ];
}

/** Returns the Python runner alone. Throws `MissingTool`. */
export function readyPython(): Runner {
  const { command, problem } = findPython();
  if (problem !== undefined) throw new MissingTool(problem.join("\n"));
  return { language: "python", command, leadingArguments: [pathOf("../python/run.py")] };
}

function findPython(): { command: string; problem?: string[] } {
  let found = "none found as python3 or python";
  for (const command of ["python3", "python"]) {
    const ask = "import sys, venv, ensurepip; print('.'.join(map(str, sys.version_info[:3])))";
    const { status, stdout, stderr } = spawnSync(command, ["-c", ask], { encoding: "utf8" });
    if (status === 0) {
      if (isAtLeast(stdout, LEAST_PYTHON)) return { command };
      found = `${command} is ${stdout.trim()}`;
    } else if (stderr) {
      found = `${command}: ${stderr.trim().split("\n").at(-1)}`;
    }
  }
  return { command: "", problem: [`missing: Python ${LEAST_PYTHON.join(".")} or later, with venv and pip (${found})`] };
}

function cargoProblem(): string[] {
  const { status, stdout } = spawnSync("cargo", ["--version"], { encoding: "utf8" });
  if (status === 0 && isAtLeast(stdout, LEAST_RUST)) return [];
  const found = status === 0 ? stdout.trim() : "none found as cargo";
  return [`missing: cargo of Rust ${LEAST_RUST.join(".")} or later (${found})`];
}

/** True if the first version number in a text is this one or a later one. */
function isAtLeast(text: string, [leastMajor, leastMinor]: readonly [number, number]): boolean {
  const [major, minor] = (/\d+\.\d+/.exec(text)?.[0] ?? "0.0").split(".").map(Number) as [number, number];
  return major > leastMajor || (major === leastMajor && minor >= leastMinor);
}
