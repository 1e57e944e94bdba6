import { type Bar, bars } from "./bars.ts";
import { caveat, kilobytes, label, machineText, number, pairs, percent, table } from "./format.ts";
import type { Growth, Results } from "./results.ts";
import type { Measured } from "./rounds.ts";

/** bench/RESULTS.md: the project's own targets, and all times of the last run. */
export function scoreboardPage(results: Results): string {
  const judged = bars(results);
  const measuredBars = judged.filter(({ reached }) => !Number.isNaN(reached));
  const sections = [...new Set(judged.map(({ section }) => section))];
  const { processes, rounds } = results.repetition;
  return `# Results of the speed benchmark

\`npm run bench:report\` makes this page from the results of the last \`npm run bench\`. It is for developers of the engine; [docs/performance.md](../docs/performance.md) is for users.

- Machine: ${machineText(results)}.
- Processes of each side: ${processes}. Counted rounds of each process: ${rounds}. The best round counts.${caveat(results)}
- A side named "earlier" is the build that \`--against\` named.

## Targets

${measuredBars.filter(({ isMet }) => isMet).length} of ${measuredBars.length} measured targets are met; ${judged.length - measuredBars.length} are not measured.

${sections.map((section) => `### ${section}\n\n${barTable(judged.filter((bar) => bar.section === section))}`).join("\n\n")}

## Times

ns for one operation. The ratio is that to the first side.

${[...results.decisions, ...results.conditions, ...results.leases, ...results.calls].map(groupTable).join("\n\n")}

### Cold processes, 8 providers, 200 decisions per second

${coldTable(results)}

### Growth

${growthTable([...results.growth, ...results.scaling])}

### Memory and size

${table(
  ["bytes", ""],
  Object.entries(results.memory).map(([what, bytes]) => [what, Math.round(bytes).toLocaleString("en")]),
)}

${table(
  ["time in which garbage is collected", ""],
  Object.entries(results.collecting).map(([what, share]) => [what, `${number(100 * share)} %`]),
)}

${results.size === null ? "" : `Core import: ${kilobytes(results.size.core)}. Everything: ${kilobytes(results.size.everything)}.`}
`;
}

function barTable(judged: readonly Bar[]): string {
  const verdict = ({ reached, isMet }: Bar): string => (isMet ? "met" : Number.isNaN(reached) ? "" : "**not met**");
  const rows = judged.map((bar) => {
    const reached = Number.isNaN(bar.reached)
      ? "not measured"
      : bar.unit === ""
        ? bar.reached.toFixed(3)
        : `${number(bar.reached)}${bar.unit}`;
    return [bar.work, bar.bar, reached, verdict(bar)];
  });
  return table(["work", "target", "measured", ""], rows);
}

function groupTable({ name, sides }: Measured): string {
  const first = Object.values(sides)[0]!.best;
  const rows = Object.entries(sides).map(([side, { best, median, spread }]) => {
    return [label(side), number(best), number(median), percent(spread), `x${number(best / first)}`];
  });
  return table([name, "best", "median", "spread", "ratio"], rows);
}

function coldTable({ cold }: Results): string {
  if (cold === null) return "Not measured.";
  const head = ["", "calls 1-100: mean", "median", "calls 101-1,000: mean", "median"];
  const rows = Object.entries(cold.sides).map(([side, { first, next }]) => {
    return [label(side), ...[first.mean, first.median, next.mean, next.median].map((ns) => `${number(ns)} ns`)];
  });
  return table(head, rows);
}

function growthTable(all: readonly Growth[]): string {
  const rows = all.map(({ name, points, slope, isCut }) => {
    return [name, pairs(points, " ns"), `${slope.toFixed(2)}${isCut ? ", stopped" : ""}`];
  });
  return table(["against", "time", "slope"], rows);
}
