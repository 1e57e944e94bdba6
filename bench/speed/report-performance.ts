import { barChart, lineChart } from "./charts.ts";
import {
  CONDITIONS,
  groupName,
  HARD,
  isEarlier,
  LEASES,
  PROFILES,
  SIZES,
  STATED,
  WITH_CAPABILITY,
  WITHOUT_CAPABILITY,
} from "./decision-groups.ts";
import { caveat, isProvisional, kilobytes, label, machineText, number, pairs, table } from "./format.ts";
import type { Growth, Results } from "./results.ts";
import type { Measured } from "./rounds.ts";

const STEADY_PROVIDERS = 8;
const SIZE_NAMES = SIZES.map((size) => size.toLocaleString("en"));

/** docs/performance.md and its charts by name: ratios only, because times depend on the machine. */
export function performancePage(results: Results): { page: string; charts: { [name: string]: string } } {
  const { processes, rounds } = results.repetition;
  const page = `# Performance

\`npm run bench:report\` makes this page from the results of \`npm run bench\`. All numbers are ratios within one run, because times depend on the machine.${caveat(results)}

## Decisions

One decision is \`select\`, reading all alternatives, and \`observe\`. The numbers are the time of the Rust crate 0.1.1 divided by the time of this package. Above 1, this package is faster.

With \`capability\` in every observation the engine also learns how large the requests of that capability are:

${rustTable(results, WITH_CAPABILITY)}

Without \`capability\`:

${rustTable(results, WITHOUT_CAPABILITY)}

With \`capability\`, when 99 % of every limit is used and 3 % of the requests fail:

${rustTable(results, HARD)}

![One decision against the number of providers](performance/decisions.svg)

Some conditions make a decision slower. The default profile, as a multiple of a plain decision:

${conditionTable(results)}

## Cold and steady

A new process has compiled little of the engine yet. These processes make 200 decisions per second with ${STEADY_PROVIDERS} providers and \`capability\`, and parse and write JSON between the calls. The numbers are mean times as a multiple of the steady state of the same side. The steady state is a loop of decisions without other work, so it has the processor's caches for itself.

${coldTable(results)}

## Leases and run

${STEADY_PROVIDERS} providers with two quotas, as a multiple of \`select\` + \`observe\`.

${leaseTable(results)}

## Other limiters

One limiter in front of an async function that does nothing, as a multiple of \`run\`. Each limiter has the options that its documentation recommends for at most 100 calls at the same time and 1e9 per minute, so that no call waits. They do different things: none of them routes between providers, and of them only cockatiel reacts to failures. Versions: ${Object.entries(
    results.rivals,
  )
    .map(([name, version]) => `${name} ${version}`)
    .join(", ")}.

${rivalTable(results)}

![Time of one call through each limiter](performance/calls.svg)

## Growth

How the processor time grows with the number of things, as a multiple of the time at the smallest number. A slope of 0 is flat, and a slope of 1 is proportional.

One decision:

${growthTable(results.growth)}

Work for all things together, or for one call if the name says so:

${growthTable(results.scaling)}

![Time of one decision against what grows](performance/growth.svg)

## Memory and size

${table(["", "bytes"], Object.entries(results.memory).map(memoryRow))}

${results.size === null ? "" : `\`import { GrateLimiter }\` adds ${kilobytes(results.size.core)} to an application. The whole package adds ${kilobytes(results.size.everything)}.`}

## Method

- Machine: ${machineText(results)}.
- Every side is a process of its own. Rounds alternate between the sides of a table, and only one side works at a time.
- Processes of each side: ${processes}. Counted rounds of each process: ${rounds}, after at least two rounds and one second of work. The best round counts.
- Times are processor times of the whole process, including the threads that compile and collect garbage. Cold processes are timed with a wall clock around each decision.
- Every side makes the same calls with the same amounts at the same instants of its own mock clock. Cold processes use the real clock.
- This package is measured as it is published (\`dist\`). The Rust crate is a release build with link-time optimization.
- Before the timed rounds, more than one window of requests has passed.
`;
  return { page, charts: charts(results) };
}

/** The performance line of README.md. */
export function readmeLine(results: Results): string {
  const ratios = (group: string): string =>
    SIZES.map((size) => number(rustRatio(results, groupName(group, size), "anticipatory"))).join(" / ");
  const cold = coldRatios(results, "anticipatory");
  const prefix = isProvisional(results) ? "provisional: " : "";
  return `${prefix}\`select\` + \`observe\` has ${ratios(WITH_CAPABILITY)} times the speed of the Rust package at ${SIZE_NAMES.join(" / ")} providers (${ratios(WITHOUT_CAPABILITY)} without \`capability\`); the first 100 calls of a process take ${number(cold.first)} times as long`;
}

function rustTable(results: Results, group: string): string {
  const rows = [...PROFILES, "python"].map((side) => {
    return [label(side), ...SIZES.map((size) => number(rustRatio(results, groupName(group, size), side)))];
  });
  return table(["Rust / this", ...SIZE_NAMES.map((size) => `${size} providers`)], rows);
}

function rustRatio({ decisions }: Results, group: string, side: string): number {
  return best(decisions, group, "rust") / best(decisions, group, side);
}

function conditionTable({ conditions }: Results): string {
  const rows = [STATED, "hard case"].map((side) => {
    const ratios = SIZES.map((size) => {
      const group = groupName(CONDITIONS, size);
      return number(best(conditions, group, side) / best(conditions, group, "plain"));
    });
    return [side === STATED ? side : "limits 99 % used, 3 % failures", ...ratios];
  });
  return table(["", ...SIZE_NAMES.map((size) => `${size} providers`)], rows);
}

function coldTable(results: Results): string {
  const rows = [...PROFILES, "rust"].map((side) => {
    const { first, next } = coldRatios(results, side);
    return [label(side), number(first), number(next), "1"];
  });
  return table(["", "calls 1 to 100", "calls 101 to 1,000", "steady state"], rows);
}

function coldRatios({ cold, decisions }: Results, side: string): { first: number; next: number } {
  const steady = best(decisions, groupName(WITH_CAPABILITY, STEADY_PROVIDERS), side);
  const times = cold?.sides[side];
  return { first: (times?.first.mean ?? Number.NaN) / steady, next: (times?.next.mean ?? Number.NaN) / steady };
}

function leaseTable({ leases }: Results): string {
  const sides = leases.find(({ name }) => name === groupName(LEASES, STEADY_PROVIDERS))?.sides ?? {};
  const rows = Object.entries(sides).flatMap(([side, { best: ns }]) => {
    if (isEarlier(side)) return [];
    const name = side === "rust" ? `${label(side)}: select + observe` : side;
    return [[name, number(ns / sides["select + observe"]!.best)]];
  });
  return table(["", "ratio"], rows);
}

function rivalTable({ calls }: Results): string {
  const sides = Object.keys(calls[0]?.sides ?? {});
  const rows = sides.map((side) => [label(side), ...calls.map((group) => number(rivalRatio(group, side)))]);
  return table(["", ...calls.map(({ name }) => name.replace("an empty async function, ", ""))], rows);
}

function rivalRatio({ sides }: Measured, side: string): number {
  return sides[side]!.best / sides["ours-run"]!.best;
}

function growthTable(all: readonly Growth[]): string {
  const rows = all.map((series) => {
    const { name, slope, isCut } = series;
    return [name, pairs(relative(series), ""), `${slope.toFixed(2)}${isCut ? ", stopped: too slow" : ""}`];
  });
  return table(["against", "number: multiple of the first time", "slope"], rows);
}

function relative({ points }: Growth): { x: number; y: number }[] {
  return points.map(({ x, y }) => ({ x, y: y / points[0]!.y }));
}

function memoryRow([what, bytes]: [string, number]): string[] {
  return [what.replace("bytes allocated", "allocated"), Math.round(bytes).toLocaleString("en")];
}

function charts({ decisions, calls, growth }: Results): { [name: string]: string } {
  const made: { [name: string]: string } = {};
  const unit = best(decisions, groupName(WITH_CAPABILITY, SIZES[0]), "anticipatory");
  if (decisions.length > 0) {
    const series = [...PROFILES, "rust", "python"].map((side) => ({
      name: label(side),
      points: SIZES.map((x) => ({ x, y: best(decisions, groupName(WITH_CAPABILITY, x), side) / unit })),
    }));
    const measuredSeries = series.filter(({ points }) => points.every(({ y }) => !Number.isNaN(y)));
    const title = "One decision with capability (1: default profile, 2 providers)";
    made["decisions"] = lineChart(title, "providers", measuredSeries);
  }
  if (growth.length > 0) {
    const series = growth.map((one) => ({ name: one.name, points: relative(one) }));
    made["growth"] = lineChart("One decision (1: the smallest number)", "number", series);
  }
  const [first] = calls;
  if (first !== undefined) {
    const bars = Object.keys(first.sides).map((side) => ({
      name: label(side).replaceAll("`", ""),
      y: rivalRatio(first, side),
    }));
    made["calls"] = barChart(`${first.name} (1: run)`, bars);
  }
  return made;
}

function best(groups: readonly Measured[], group: string, side: string): number {
  return groups.find(({ name }) => name === group)?.sides[side]?.best ?? Number.NaN;
}
