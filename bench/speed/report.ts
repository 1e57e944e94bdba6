// Makes bench/RESULTS.md, docs/performance.md and the performance line of README.md from the results of the last
// `npm run bench`: `npm run bench:report`. No number in them is written by hand.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { performancePage, readmeLine } from "./report-performance.ts";
import { scoreboardPage } from "./report-scoreboard.ts";
import { NO_RESULTS, RESULTS, type Results } from "./results.ts";
import { root } from "./sides.ts";

const README_LINE = /(<!-- performance -->).*?(<!-- \/performance -->)/;

const results = { ...NO_RESULTS, ...JSON.parse(readFileSync(RESULTS, "utf8")) } as Results;
const { page, charts } = performancePage(results);
write("docs/performance.md", page);
mkdirSync(join(root, "docs/performance"), { recursive: true });
for (const [name, svg] of Object.entries(charts)) write(`docs/performance/${name}.svg`, svg);
write("bench/RESULTS.md", scoreboardPage(results));

const line = readmeLine(results);
const readme = readFileSync(join(root, "README.md"), "utf8");
if (README_LINE.test(readme)) write("README.md", readme.replace(README_LINE, `$1${line}$2`));
else console.log(`README.md has no <!-- performance --> marks; the line is:\n${line}`);

function write(file: string, text: string): void {
  writeFileSync(join(root, file), text);
  console.log(`${file} is written`);
}
