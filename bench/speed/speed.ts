// The speed benchmark: `npm run bench`. Both profiles, the published Rust crate, the Python package and other limiters, in one
// run on one machine; then cold processes, growth and memory. It prints every number and stores all of them in
// .cache/bench/results.json, from which `npm run bench:report` makes bench/RESULTS.md and docs/performance.md.
//
//   npm run bench -- decisions leases cold rivals growth scaling memory    these parts; default all
//   npm run bench -- --against PATH/dist/index.js                         also measures another build of the package
//   npm run bench -- --processes 3 --rounds 3                             of each side; these are the defaults
//
// Every side is a process of its own and does the same work (work.ts). Only one works at a time, and rounds alternate between
// them. Times are processor times of the whole process, because a wall clock would also measure the other programs of the
// machine. The best round of a side counts, because disturbances only make a round slower.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { loadavg } from "node:os";
import { bundleSize, CORE, EVERYTHING } from "../../scripts/bundle-size.ts";
import { type Cold, cold } from "./cold.ts";
import { conditionGroups, decisionGroups, leaseGroup, profilePrograms } from "./decision-groups.ts";
import { collecting, growth, memory } from "./growth.ts";
import { machineBefore } from "./machine.ts";
import { options } from "./options.ts";
import { NO_RESULTS, RESULTS, type Results } from "./results.ts";
import { fetchedRivals, RIVALS } from "./rivals.ts";
import { type Group, type Measured, measured } from "./rounds.ts";
import { scaling } from "./scaling.ts";
import type { Side } from "./side-process.ts";
import { cache, compiledAgainst, compiledSides, type Program, ports } from "./sides.ts";

const PARTS = ["decisions", "leases", "cold", "rivals", "growth", "scaling", "memory"] as const;
const COLD_PROCESSES = 5;

const { parts, against, processes, rounds } = options(PARTS, { processes: 3, rounds: 3 });
const has = (part: (typeof PARTS)[number]): boolean => parts.length === 0 || parts.includes(part);
const machine = machineBefore();
console.log(
  `${machine.processor}, ${machine.cores} cores, ${machine.memoryGb} GB, load ${machine.loadBefore.toFixed(1)}`,
);
console.log(
  Object.entries(machine.versions)
    .map((entry) => entry.join(" "))
    .join(", "),
);
const programs = await compiledSides();
const earlier = against === undefined ? undefined : await compiledAgainst(against);
const published = ports();
const crate = published.find(({ name }) => name === "rust");

const found: Partial<Results> = {
  ...(has("decisions") ? { decisions: await decisions(), conditions: await inTurn(conditionGroups(programs)) } : {}),
  ...(has("leases") ? { leases: await inTurn([leaseGroup(programs, earlier, crate), waitingGroup()]) } : {}),
  ...(has("cold") ? { cold: await coldProcesses() } : {}),
  ...(has("rivals") ? { rivals: RIVALS, calls: await inTurn(callGroups(await fetchedRivals())) } : {}),
  ...(has("growth") ? { growth: await growth(programs, { processes, rounds: processes * rounds }) } : {}),
  ...(has("scaling") ? { scaling: await scaling(programs, processes * rounds) } : {}),
  ...(has("memory") ? { memory: await memory(programs), collecting: await collecting(programs) } : {}),
  size: { core: await bundleSize(CORE), everything: await bundleSize(EVERYTHING) },
  repetition: { processes, rounds },
  machine: { ...machine, loadAfter: loadavg()[0]! },
};
const results: Results = { ...NO_RESULTS, ...(await lastResults()), ...found } as Results;
await mkdir(cache, { recursive: true });
await writeFile(RESULTS, `${JSON.stringify(results, null, 2)}\n`);

/** The parts that are not measured now keep the results of the last run. */
async function lastResults(): Promise<Partial<Results>> {
  if (parts.length === 0) return {};
  try {
    return JSON.parse(await readFile(RESULTS, "utf8")) as Results;
  } catch {
    return {};
  }
}

async function inTurn(groups: readonly Group[]): Promise<Measured[]> {
  const all: Measured[] = [];
  for (const group of groups) {
    const one = await measured(group, { processes, rounds });
    all.push(one);
    console.log(`\n${one.name} (${processes} processes, ${rounds} rounds of ${one.operations})`);
    const [first] = Object.values(one.sides);
    for (const [side, { best, median, spread }] of Object.entries(one.sides)) {
      const times = `best ${nanoseconds(best)}  median ${nanoseconds(median)}  spread ${(spread * 100).toFixed(0)} %`;
      console.log(`  ${side.padEnd(52)} ${times.padEnd(56)} x${(best / first!.best).toFixed(2)}`);
    }
  }
  return all;
}

function decisions(): Promise<Measured[]> {
  return inTurn(decisionGroups([...profilePrograms("decisions", programs, earlier), ...published]));
}

async function coldProcesses(): Promise<Cold> {
  const sides = profilePrograms("cold", programs, earlier);
  if (crate !== undefined) sides.push({ ...crate, args: ["cold"] });
  const found = await cold(sides, COLD_PROCESSES);
  console.log(`\ncold processes (${COLD_PROCESSES} of each side), mean and median of calls 1-100 and 101-1,000`);
  for (const [side, { first, next }] of Object.entries(found.sides)) {
    const times = [first.mean, first.median, next.mean, next.median].map(nanoseconds);
    console.log(`  ${side.padEnd(26)} ${times.join(" ")}`);
  }
  return found;
}

function waitingGroup(): Group {
  const names = ["ours-both", "ours-tryAcquire", "ours-acquire", "ours-acquire-1000-waiting"];
  const sides = names.map((name): Side => ({ ...programs("calls", name), setup: { together: 1 } }));
  return { name: "leases, 8 providers with three quotas", sides, operations: 50_000 };
}

function callGroups(folder: string): Group[] {
  const callers: Program[] = ["ours-run", ...Object.keys(RIVALS), "none"].map((name) => programs("calls", name));
  return [1, 100].map((together) => ({
    name: `an empty async function, ${together === 1 ? "one after the other" : `${together} in parallel`}`,
    // Bottleneck takes a thousand times as long as the others.
    sides: callers.map(
      (one): Side => ({ ...one, every: one.name === "bottleneck" ? 10 : 1, setup: { folder, together } }),
    ),
    operations: 20_000,
  }));
}

function nanoseconds(ns: number): string {
  return `${ns < 100 ? ns.toFixed(1) : Math.round(ns).toLocaleString("en")} ns`.padStart(14);
}
