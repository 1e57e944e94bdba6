// Prints what the package adds to an application, and fails when the import that every user needs is above its budget.
import { bundleSize, CORE, EVERYTHING, type Size } from "./bundle-size.ts";

// A little above what it is: growth has to be argued for.
const BUDGET_BYTES = 33_000;

const core = await bundleSize(CORE);

print('import { GrateLimiter } from "grate-limiter"', core);
print('import * as everything from "grate-limiter"', await bundleSize(EVERYTHING));

const spare = BUDGET_BYTES - core.gzipped;
if (spare < 0) {
  console.error(`failed: ${-spare} bytes above the budget of ${kilobytes(BUDGET_BYTES)}`);
  process.exitCode = 1;
} else {
  console.log(`${spare} bytes below the budget of ${kilobytes(BUDGET_BYTES)}`);
}

function print(what: string, size: Size): void {
  console.log(`${what}: ${size.gzipped} bytes (${kilobytes(size.gzipped)}) gzipped, ${size.minified} minified`);
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1_000).toFixed(2)} kB`;
}
