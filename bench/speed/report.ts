// docs/performance.md, made of what the last `npm run bench` left: `npm run bench:report`. No number in it is written by hand.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Size } from "../../scripts/bundle-size.ts";
import { bars } from "./bars.ts";
import { barChart, lineChart } from "./charts.ts";
import { RESULTS, type Results } from "./results.ts";
import type { Measured } from "./rounds.ts";
import { root } from "./sides.ts";

const results = JSON.parse(readFileSync(RESULTS, "utf8")) as Results;
const { machine } = results;

const SIZES = [2, 8, 100, 1_000];
const LABELS: { readonly [side: string]: string } = {
  anticipatory: "default profile",
  classic: "classic profile",
  rust: "Rust crate 0.1.1",
  python: "Python package 0.1.1",
  "ours-both": "`select` + `observe`",
  "ours-tryAcquire": "`tryAcquire` + `settle`",
  "ours-acquire": "`acquire` + `settle`, nobody waits",
  "ours-acquire-1000-waiting": "`acquire` + `settle`, 1,000 wait, one provider",
  "ours-run": "`run`",
  none: "the bare call",
};

const judged = bars(results);
const page = `# Performance

Made by \`npm run bench:report\` of what \`npm run bench\` measured; no number here is written by hand. \`npm run bench:smoke\` checks in seconds that nothing got several times slower.

## What is reached

| work | to be reached | measured | |
|---|---|---|---|
${judged.map(({ work, bar, reached, unit, isMet }) => `| ${work} | ${bar} | ${number(reached)}${unit} | ${isMet ? "met" : "**not met**"} |`).join("\n")}

${judged.filter(({ isMet }) => isMet).length} of ${judged.length} are met.

## How it is measured

- Machine: ${machine.processor}, ${machine.cores} cores, ${machine.memoryGb} GB; ${Object.entries(machine.versions)
  .map(([name, version]) => `${name} ${version}`)
  .join(
    ", ",
  )}. Load ${machine.loadBefore.toFixed(1)} before and ${machine.loadAfter.toFixed(1)} after: ${machine.loadAfter > machine.cores ? "others were at work on it, so that ratios mean more than times" : "nothing else ran on it; what others do on the same host shows in no load, but in the times of all sides"}.
- Each side is a process of its own, and idles while another works; rounds go from side to side, ${results.rounds} of each, after at least two, and a second of work, that are not counted. The best round of each counts, the median and the spread (slowest above best) stand beside it.
- Times are processor times of the whole process, threads that compile or collect garbage included. All on one machine; what stands in one table was measured in one run, and so was each of decisions, leases, calls and growth, which can be run apart.
- Every side does the same: the same calls with the same amounts at the same instants of its own mock clock, from one tape; the Python package does a fortieth of them, because it would take too long. What an answer says is read (score, and name and score of every alternative) and told back.
- This package as it is published (\`dist\`); the crate from its registry, release build with LTO in one codegen unit; the package from its.
- Before anything is timed, a window's length of requests has gone round all providers.
- The hard case: 99 % of all limits used, latencies, sizes and failures (2 % 5xx, 1 % 429) from request to request, steps of 0 to 3 ms. Where the engines choose differently, what follows differs, too.

## Decisions

ns for one operation, two quotas a provider, the clock going on by 1 ms. The ratio is that to the default profile: above 1, it takes longer.

${results.decisions.length === 0 ? "Not measured." : decisionTables()}

${chart("decisions", "select + observe, ordinary load", decisionChart("select + observe"))}

${chart("hard-case", "select + observe, the hard case", decisionChart("select + observe, hard case"))}

## Leases

Eight providers with three quotas (requests, tokens, concurrency), ns.

${results.leases.map((group) => table(group)).join("\n\n")}

\`tryAcquire\` + \`settle\`: ${Math.round(1e9 / (results.leases[0]?.sides["ours-tryAcquire"]?.best ?? Number.NaN)).toLocaleString("en")} a second.

## What people would use instead

One limiter in front of an async function that does nothing, each with the options that its documentation recommends for at most 100 at once and 1e9 a minute, so that nothing waits; on the real clock. What they do differs: none of these knows more than one provider, or learns from how a call ends but cockatiel. ${Object.entries(
  results.rivals,
)
  .map(([name, version]) => `${name} ${version}`)
  .join(", ")}.

${results.calls.map((group) => table(group)).join("\n\n")}

${
  results.calls[0] === undefined
    ? ""
    : chart(
        "calls",
        results.calls[0].name,
        barChart(
          results.calls[0].name,
          Object.entries(results.calls[0].sides).map(([side, { best }]) => ({
            name: label(side).replaceAll("`", ""),
            y: best,
          })),
        ),
      )
}

## Growth

Best time of one \`select\` + \`observe\`, all alternatives read; eight providers with two quotas unless it is these that grow. Slope of the log-log fit: 0 is flat, 1 proportional.

| against | | slope |
|---|---|---|
${results.growth.map(({ name, points, slope }) => `| ${name} | ${points.map(({ x, y }) => `${x.toLocaleString("en")}: ${number(y)} ns`).join(", ")} | ${slope.toFixed(2)} |`).join("\n")}

${chart(
  "growth",
  "how a decision grows",
  lineChart(
    "One decision against what grows",
    "how many",
    results.growth.map(({ name, points }) => ({ name, points })),
  ),
)}

## Memory

After forced collections, typed arrays included; "busy" is a provider whose two windows hold all the entries they ever do.

| | bytes |
|---|---|
${Object.entries(results.memory)
  .map(
    ([what, bytes]) =>
      `| ${what.replace("bytes allocated", "allocated")} | ${Math.round(bytes).toLocaleString("en")} |`,
  )
  .join("\n")}

Collecting garbage takes ${Object.entries(results.collecting)
  .map(([what, share]) => `${number(100 * share)} % of the time of ${what}`)
  .join(", ")}.

## Size

${
  results.size === null
    ? "Not measured."
    : `\`import { GrateLimiter }\` adds ${kilobytes(results.size.core)} to an application, everything ${kilobytes(results.size.everything)}.`
}
`;
writeFileSync(join(root, "docs/performance.md"), page);
console.log("docs/performance.md is written");

/** Writes the chart beside the page, and answers how the page shows it. */
function chart(name: string, alternative: string, svg: string): string {
  const folder = join(root, "docs/performance");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${name}.svg`), svg);
  return `![${alternative}](performance/${name}.svg)`;
}

function decisionChart(work: string): string {
  const groups = SIZES.map((size) => results.decisions.find(({ name }) => name === `${work}, ${size} providers`)!);
  const series = Object.keys(groups[0]!.sides).map((side) => ({
    name: label(side),
    points: groups.map(({ sides }, i) => ({ x: SIZES[i]!, y: sides[side]!.best })),
  }));
  return lineChart(`One ${work}`, "providers", series);
}

function decisionTables(): string {
  const works = [...new Set(results.decisions.map(({ name }) => name.replace(/, \d+ providers$/, "")))];
  return works.map((work) => `### ${work}\n\n${decisionTable(work)}`).join("\n\n");
}

function decisionTable(work: string): string {
  const groups = SIZES.map((size) => results.decisions.find(({ name }) => name === `${work}, ${size} providers`)!);
  const sides = Object.keys(groups[0]!.sides);
  const head = `| | ${SIZES.map((size) => `${size.toLocaleString("en")} providers`).join(" | ")} |\n|---|${SIZES.map(() => "---").join("|")}|`;
  const row = (side: string): string => `| ${label(side)} | ${groups.map((group) => cell(group, side)).join(" | ")} |`;
  return `${head}\n${sides.map(row).join("\n")}`;
}

function cell({ sides }: Measured, side: string): string {
  const { best, median, spread } = sides[side]!;
  const ratio = best / Object.values(sides)[0]!.best;
  return `${number(best)} (median ${number(median)}, spread ${percent(spread)}; x${number(ratio)})`;
}

function table({ name, sides }: Measured): string {
  const first = Object.values(sides)[0]!.best;
  const rows = Object.entries(sides).map(([side, { best, median, spread }]) => {
    return `| ${label(side)} | ${number(best)} | ${number(median)} | ${percent(spread)} | x${number(best / first)} |`;
  });
  return `| ${name} | best | median | spread | ratio |\n|---|---|---|---|---|\n${rows.join("\n")}`;
}

function label(side: string): string {
  return LABELS[side] ?? side;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}

function kilobytes({ minified, gzipped }: Size): string {
  return `${(minified / 1_000).toFixed(1)} kB minified, ${(gzipped / 1_000).toFixed(1)} kB minified and gzipped`;
}

/** Three digits are as many as mean anything. */
function number(value: number): string {
  return Number(value.toPrecision(3)).toLocaleString("en");
}
