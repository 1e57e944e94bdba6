// Prints the size that the package adds to an application. Fails if the import that every user needs exceeds its budget.
import { bundleSize, CORE, EVERYTHING, type Size } from "./bundle-size.ts";

// Slightly above the current size, so that every growth is a decision.
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

function print(label: string, size: Size): void {
  console.log(`${label}: ${size.gzipped} bytes (${kilobytes(size.gzipped)}) gzipped, ${size.minified} minified`);
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1_000).toFixed(2)} kB`;
}
