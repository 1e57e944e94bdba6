// Prints the size of each entry in an application, and fails if one is above its budget (see entries.ts).
import { bundleSize, EVERYTHING, type Size } from "./bundle-size.ts";
import { ENTRIES } from "./entries.ts";

print(EVERYTHING, await bundleSize(EVERYTHING));
for (const [name, { program, budgetBytes }] of Object.entries(ENTRIES)) {
  const size = await bundleSize(program, name);
  print(program, size);
  const spare = budgetBytes - size.gzipped;
  if (spare < 0) process.exitCode = 1;
  const budget = `the budget of ${kilobytes(budgetBytes)} for "${name}"`;
  console.log(spare < 0 ? `failed: ${-spare} bytes above ${budget}` : `${spare} bytes below ${budget}`);
}

function print(program: string, { gzipped, minified }: Size): void {
  console.log(`${program} ${gzipped} bytes (${kilobytes(gzipped)}) gzipped, ${minified} minified`);
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1_000).toFixed(2)} kB`;
}
