// What an application pays for `grate-limiter`, measured as its bundler would: minified and gzipped, from the built
// package. Fails when the import that every user needs is above its budget.
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

// A little above what it is: growth has to be argued for.
const BUDGET_BYTES = 31_200;
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const BUILT = "dist/index.js";

if (!existsSync(`${root}/${BUILT}`)) throw new Error(`${BUILT} is missing: run "npm run build" first`);

const core = await gzippedBytes('export { GrateLimiter } from "grate-limiter";');
const everything = await gzippedBytes('export * from "grate-limiter";');

print('import { GrateLimiter } from "grate-limiter"', core);
print('import * as everything from "grate-limiter"', everything);

const spare = BUDGET_BYTES - core.gzipped;
if (spare < 0) {
  console.error(`failed: ${-spare} bytes above the budget of ${kilobytes(BUDGET_BYTES)}`);
  process.exitCode = 1;
} else {
  console.log(`${spare} bytes below the budget of ${kilobytes(BUDGET_BYTES)}`);
}

interface Size {
  readonly minified: number;
  readonly gzipped: number;
}

async function gzippedBytes(program: string): Promise<Size> {
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

function print(what: string, size: Size): void {
  console.log(`${what}: ${size.gzipped} bytes (${kilobytes(size.gzipped)}) gzipped, ${size.minified} minified`);
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1_000).toFixed(2)} kB`;
}
