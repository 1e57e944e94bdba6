// Refuses a release that is not ready: `npm run release:check [-- --tag v1.2.3]`. `npm publish` runs it, too. RELEASING.md
// describes the steps.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { problemsOfRelease } from "./release-problems.ts";

const { values } = parseArgs({ options: { tag: { type: "string" } } });
const textOf = (file: string): string => readFileSync(new URL(`../${file}`, import.meta.url), "utf8");

const problems = problemsOfRelease({
  manifest: JSON.parse(textOf("package.json")) as { readonly [field: string]: unknown },
  changelog: textOf("CHANGELOG.md"),
  performance: textOf("docs/performance.md"),
  uncommitted: execFileSync("git", ["status", "--porcelain"], { encoding: "utf8" }),
  tag: values.tag,
});
for (const problem of problems) console.error(`release check: ${problem}`);
if (problems.length > 0) process.exitCode = 1;
else console.log("release check: ready to publish");
