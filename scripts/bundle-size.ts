// Size of an import of this package, as the bundler of an application would make it: minified and gzipped, from the built
// package.
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build, type Plugin } from "esbuild";
import { CORE_ENTRY, ENTRIES, OWN_IMPORTS } from "./entries.ts";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const PROGRAM = "<stdin>";

/** Import that every user needs. */
export const CORE: string = ENTRIES[CORE_ENTRY]!.program;

/** Import of all that the core exports. */
export const EVERYTHING = 'export * from "grate-limiter";';

/** Size in bytes. */
export interface Size {
  readonly minified: number;
  readonly gzipped: number;
}

// An entry is measured without the core, which it imports.
const withoutOtherEntries: Plugin = {
  name: "without-other-entries",
  setup: ({ onResolve }) => {
    onResolve({ filter: OWN_IMPORTS }, ({ path, importer }) =>
      importer === PROGRAM ? undefined : { path, external: true },
    );
  },
};

/** Size of a program that imports one entry. Throws if the package is not built, or if the bundle contains any other file. */
export async function bundleSize(program: string, entry: string = CORE_ENTRY): Promise<Size> {
  const built = `dist/${entry}.js`;
  if (!existsSync(join(root, built))) throw new Error(`${built} is missing: run "npm run build" first`);
  const result = await build({
    // The package's own name is resolved by its `exports`, as for a user, and `sideEffects` counts.
    stdin: { contents: program, resolveDir: root, loader: "js" },
    absWorkingDir: root,
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    write: false,
    metafile: true,
    logLevel: "warning",
    // Not the one of this repository, which maps the name of the package to its source.
    tsconfigRaw: {},
    plugins: [withoutOtherEntries],
  });
  // The size means nothing if another file was measured, or if nothing of this one was kept.
  const inputs = Object.keys(result.metafile.inputs).filter((input) => input !== PROGRAM);
  const kept = Object.values(result.metafile.outputs)[0]?.inputs[built]?.bytesInOutput ?? 0;
  if (inputs.join() !== built || kept === 0) {
    throw new Error(`expected a bundle of ${built} alone, got ${kept} bytes of it and [${inputs.join(", ")}]`);
  }
  const code = result.outputFiles[0]!.contents;
  return { minified: code.byteLength, gzipped: gzipSync(code, { level: 9 }).byteLength };
}
