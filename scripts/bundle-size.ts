// What an application pays for an import of this package, measured as its bundler would: minified and gzipped, from the built
// package.
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

/** In bytes. */
export interface Size {
  readonly minified: number;
  readonly gzipped: number;
}

/** Throws if the package is not built, or if anything but it is in the bundle. */
export async function bundleSize(program: string): Promise<Size> {
  if (!existsSync(join(root, BUILT))) throw new Error(`${BUILT} is missing: run "npm run build" first`);
  const result = await build({
    // Resolved by the package's own name, so that `exports` and `sideEffects` count as they do for a user.
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
  // Were anything but the built file measured, or nothing of it kept, the number would mean nothing.
  const inputs = Object.keys(result.metafile.inputs).filter((input) => input !== "<stdin>");
  const kept = Object.values(result.metafile.outputs)[0]?.inputs[BUILT]?.bytesInOutput ?? 0;
  if (inputs.join() !== BUILT || kept === 0) {
    throw new Error(`expected a bundle of ${BUILT} alone, got ${kept} bytes of it and [${inputs.join(", ")}]`);
  }
  const code = result.outputFiles[0]!.contents;
  return { minified: code.byteLength, gzipped: gzipSync(code, { level: 9 }).byteLength };
}
