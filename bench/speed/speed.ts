// The speed benchmark: `npm run bench`. Both profiles, the published Rust crate and the Python package, and what people would
// use instead, in one run on one machine; then how time and memory grow. Prints every number, and leaves all of them in
// .cache/bench/results.json, of which `npm run bench:report` makes docs/performance.md.
//
//   npm run bench -- decisions leases rivals growth    these parts; without any, all
//
// Every side is a process of its own and does the same work (work.ts); only one works at a time, and rounds go from one to
// the next. Times are processor times of the whole process, for on a machine that others use, too, a clock on the wall measures
// the others. Of a side the best round counts: whatever else a machine does only ever makes a round slower.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { loadavg } from "node:os";
import { bundleSize, CORE, EVERYTHING } from "../../scripts/bundle-size.ts";
import { machineBefore } from "./machine.ts";
import { type Growth, RESULTS, type Results } from "./results.ts";
import { fetchedRivals, RIVALS } from "./rivals.ts";
import { type Group, type Measured, measured } from "./rounds.ts";
import { type Side, SideProcess } from "./side-process.ts";
import type { TimeSetup } from "./sides/growth.ts";
import { cache, compiledSides, type Program, ports } from "./sides.ts";
import { slope } from "./statistics.ts";
import { hard, ordinary, type Setup } from "./work.ts";

const ROUNDS = 9;
const PARTS = ["decisions", "leases", "rivals", "growth"] as const;
// So that a round of the slowest that is compared takes about a tenth of a second.
const OPERATIONS: { readonly [providers: number]: number } = { 2: 100_000, 8: 40_000, 100: 4_000, 1000: 400 };

const asked = process.argv.slice(2);
for (const part of asked) {
  if (!PARTS.some((known) => known === part)) throw new Error(`no part ${part}: they are ${PARTS.join(", ")}`);
}
const has = (part: (typeof PARTS)[number]): boolean => asked.length === 0 || asked.includes(part);
const machine = machineBefore();
console.log(
  `${machine.processor}, ${machine.cores} cores, ${machine.memoryGb} GB, load ${machine.loadBefore.toFixed(1)}`,
);
console.log(
  Object.entries(machine.versions)
    .map((entry) => entry.join(" "))
    .join(", "),
);
const program = await compiledSides();

const found: Partial<Results> = {
  rounds: ROUNDS,
  ...(has("decisions") ? { decisions: await inTurn(decisionGroups()) } : {}),
  ...(has("leases") ? { leases: await inTurn([leaseGroup()]) } : {}),
  ...(has("rivals") ? { rivals: RIVALS, calls: await inTurn(callGroups(await fetchedRivals())) } : {}),
  ...(has("growth") ? { growth: await growth(), memory: await memory(), collecting: await collecting() } : {}),
  size: { core: await bundleSize(CORE), everything: await bundleSize(EVERYTHING) },
  machine: { ...machine, loadAfter: loadavg()[0]! },
};
const results: Results = { ...(await lastResults()), ...found };
await mkdir(cache, { recursive: true });
await writeFile(RESULTS, `${JSON.stringify(results, null, 2)}\n`);

/** The parts that were not asked for are those of the last run. */
async function lastResults(): Promise<Results> {
  const none = {
    decisions: [],
    leases: [],
    calls: [],
    growth: [],
    memory: {},
    collecting: {},
    size: null,
    rivals: RIVALS,
  };
  if (asked.length === 0) return none as unknown as Results;
  try {
    return { ...none, ...(JSON.parse(await readFile(RESULTS, "utf8")) as Results) };
  } catch {
    return none as unknown as Results;
  }
}

async function inTurn(groups: readonly Group[]): Promise<Measured[]> {
  const all: Measured[] = [];
  for (const group of groups) {
    const one = await measured(group, ROUNDS);
    all.push(one);
    console.log(`\n${one.name} (${ROUNDS} rounds of ${one.operations})`);
    const [first] = Object.values(one.sides);
    for (const [side, { best, median, spread }] of Object.entries(one.sides)) {
      const times = `best ${nanoseconds(best)}  median ${nanoseconds(median)}  spread ${(spread * 100).toFixed(0)} %`;
      console.log(`  ${side.padEnd(26)} ${times.padEnd(56)} x${(best / first!.best).toFixed(2)}`);
    }
  }
  return all;
}

function nanoseconds(ns: number): string {
  return `${ns < 100 ? ns.toFixed(1) : Math.round(ns).toLocaleString("en")} ns`.padStart(14);
}

function decisionGroups(): Group[] {
  const programs = [program("decisions", "anticipatory"), program("decisions", "classic"), ...ports()];
  const group = (what: string, setup: Setup): Group => ({
    name: `${what}, ${setup.providers} providers`,
    sides: programs.map((one): Side => ({ ...one, setup })),
    operations: OPERATIONS[setup.providers]!,
  });
  return [2, 8, 100, 1_000].flatMap((providers) => [
    group("select", ordinary("select", providers)),
    group("observe", ordinary("observe", providers)),
    group("select + observe", ordinary("both", providers)),
    group("select + observe, alternatives not read", ordinary("both-unread", providers)),
    group("select + observe, hard case", hard("both", providers)),
  ]);
}

function leaseGroup(): Group {
  const names = ["ours-both", "ours-tryAcquire", "ours-acquire", "ours-acquire-1000-waiting"];
  const sides = names.map((name): Side => ({ ...program("calls", name), setup: { together: 1 } }));
  return { name: "leases, 8 providers with three quotas", sides, operations: 50_000 };
}

function callGroups(folder: string): Group[] {
  const programs: Program[] = ["ours-run", ...Object.keys(RIVALS), "none"].map((name) => program("calls", name));
  return [1, 100].map((together) => ({
    name: `an empty async function, ${together === 1 ? "one after the other" : `${together} at once`}`,
    // Bottleneck takes a thousand times as long as the others.
    sides: programs.map(
      (one): Side => ({ ...one, every: one.name === "bottleneck" ? 10 : 1, setup: { folder, together } }),
    ),
    operations: 20_000,
  }));
}

async function growth(): Promise<Growth[]> {
  const series: readonly {
    name: string;
    key: keyof TimeSetup;
    xs: readonly number[];
    operations(x: number): number;
  }[] = [
    {
      name: "providers",
      key: "providers",
      xs: [1, 10, 100, 1_000, 10_000],
      operations: (x) => Math.ceil(1e5 / (x + 9)),
    },
    { name: "quotas of a provider", key: "quotas", xs: [1, 2, 4, 8], operations: () => 20_000 },
    { name: "capabilities", key: "capabilities", xs: [1, 10, 100, 1_000, 10_000, 1e5], operations: () => 20_000 },
    { name: "events in the window", key: "events", xs: [1, 10, 100, 1_000, 1e4, 1e5, 1e6], operations: () => 20_000 },
  ];
  const found: Growth[] = [];
  for (const { name, key, xs, operations } of series) {
    const points: { x: number; y: number }[] = [];
    for (const x of xs) {
      const side = { ...program("growth", "time"), setup: { [key]: x } };
      const { sides } = await measured({ name, sides: [side], operations: operations(x) }, ROUNDS);
      points.push({ x, y: sides["time"]!.best });
    }
    found.push({ name, points, slope: slope(points) });
    const texts = points.map(({ x, y }) => `${x}: ${nanoseconds(y).trim()}`);
    console.log(`\ntime of select + observe against ${name}: ${texts.join(", ")}; slope ${slope(points).toFixed(2)}`);
  }
  return found;
}

async function memory(): Promise<{ [what: string]: number }> {
  const found: { [what: string]: number } = {};
  const whats = [
    "idle provider",
    "busy provider",
    "waiter",
    "lease",
    "bytes allocated by select + observe at 2 providers",
    "bytes allocated by select + observe at 8 providers",
    "bytes allocated by tryAcquire + settle at 8 providers",
    "heap after 1e7 decisions less that after 1e5",
  ];
  console.log("");
  for (const what of whats) {
    const flags = what.startsWith("bytes")
      ? ["--expose-gc", "--max-semi-space-size=512", "--min-semi-space-size=512"]
      : ["--expose-gc"];
    const process = await SideProcess.start({ ...program("growth", "memory", ...flags), setup: what });
    found[what] = await process.check();
    process.end();
    console.log(`${what}: ${Math.round(found[what]).toLocaleString("en")} bytes`);
  }
  return found;
}

async function collecting(): Promise<{ [what: string]: number }> {
  const found: { [what: string]: number } = {};
  for (const what of [2, 8, 100].map((providers) => `select + observe at ${providers} providers`)) {
    const process = await SideProcess.start({ ...program("growth", "collecting"), setup: what });
    found[what] = await process.check();
    process.end();
    console.log(`garbage is collected in ${(100 * found[what]).toFixed(1)} % of the time of ${what}`);
  }
  return found;
}
