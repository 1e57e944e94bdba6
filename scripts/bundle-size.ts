// Size that an import of this package adds to an application: bundled from the built package, minified and gzipped.
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const BUILT = "dist/index.js";

/** The import that every user needs. */
export const CORE = 'export { GrateLimiter } from "grate-limiter";';

export const EVERYTHING = 'export * from "grate-limiter";';

/** Sizes of a bundle in bytes. */
export interface Size {
  readonly minified: number;
  readonly gzipped: number;
}

/** Returns the size of a program's bundle. Throws if the package is not built, or if another file is in the bundle. */
export async function bundleSize(program: string): Promise<Size> {
  if (!existsSync(join(root, BUILT))) throw new Error(`${BUILT} is missing: run "npm run build" first`);
  const result = await build({
    // The import uses the package's own name, so that `exports` and `sideEffects` have the same effect as for a user.
    stdin: { contents: program, resolveDir: root, loader: "js" },
    absWorkingDir: root,
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    write: false,
    metafile: true,
    logLevel: "warning",
  });
  // The size is only meaningful if the bundle has the built file, and nothing else.
  const inputs = Object.keys(result.metafile.inputs).filter((input) => input !== "<stdin>");
  const kept = Object.values(result.metafile.outputs)[0]?.inputs[BUILT]?.bytesInOutput ?? 0;
  if (inputs.join() !== BUILT || kept === 0) {
    throw new Error(`expected a bundle of ${BUILT} alone, got ${kept} bytes of it and [${inputs.join(", ")}]`);
  }
  const code = result.outputFiles[0]!.contents;
  return { minified: code.byteLength, gzipped: gzipSync(code, { level: 9 }).byteLength };
}
