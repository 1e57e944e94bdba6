import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { transform } from "esbuild";
import { runOrThrow } from "./command.ts";

/** The root of this repository. */
export const root: string = fileURLToPath(new URL("../../../", import.meta.url));

/** A project outside of this repository with nothing but the packed package installed. */
export interface PackedProject {
  readonly directory: string;
  readonly tarball: string;
  /** The content of the tarball, as paths relative to the package. */
  readonly files: readonly string[];
  /** The installed package. */
  readonly installed: string;
  remove(): Promise<void>;
}

/** Packs the current build and installs it into an empty project, without the network. */
export async function packedProject(): Promise<PackedProject> {
  if (!existsSync(join(root, "dist/index.js"))) throw new Error('dist is missing: run "npm run build" first');
  const top = await mkdtemp(join(tmpdir(), "grate-limiter-packed-"));
  try {
    const packed = await runOrThrow("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", top], {
      cwd: root,
    });
    const [pack] = JSON.parse(packed) as { filename: string; files: { path: string }[] }[];
    const tarball = join(top, pack!.filename);
    const directory = join(top, "project");
    await mkdir(directory);
    await writeFile(join(directory, "package.json"), JSON.stringify({ name: "project", private: true }));
    // --prefix, because a script that npm runs inherits the prefix of the repository.
    await runOrThrow(
      "npm",
      ["install", "--prefix", directory, "--offline", "--ignore-scripts", "--no-audit", "--no-fund", tarball],
      { cwd: directory },
    );
    await writeScenario(directory);
    return {
      directory,
      tarball,
      files: pack!.files.map((file) => file.path),
      installed: join(directory, "node_modules/grate-limiter"),
      remove: () => rm(top, { recursive: true, force: true }),
    };
  } catch (error) {
    await rm(top, { recursive: true, force: true });
    throw error;
  }
}

/** The files of `consumer/`, by name. */
export async function consumerFile(name: string): Promise<string> {
  return readFile(join(root, "test/support/packed/consumer", name), "utf8");
}

/** Every package in the node_modules of a project. */
export async function installedPackages(project: PackedProject): Promise<readonly string[]> {
  const names = await readdir(join(project.directory, "node_modules"));
  return names.filter((name) => !name.startsWith("."));
}

// Plain JavaScript, so that every runtime runs the same files, with or without type stripping.
async function writeScenario(directory: string): Promise<void> {
  const written = [
    ["scenario.ts", "scenario.mjs", "esm"],
    ["scenario.ts", "scenario.cjs", "cjs"],
    ["by-import.mts", "by-import.mjs", "esm"],
    ["by-require.cts", "by-require.cjs", "cjs"],
    ["both-copies.mts", "both-copies.mjs", "esm"],
  ] as const;
  for (const [source, target, format] of written) {
    const { code } = await transform(await consumerFile(source), { loader: "ts", format, target: "es2022" });
    const extension = format === "esm" ? "mjs" : "cjs";
    await writeFile(join(directory, target), code.replaceAll('"./scenario.ts"', `"./scenario.${extension}"`));
  }
}
