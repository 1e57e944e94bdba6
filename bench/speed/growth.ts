import type { Growth } from "./results.ts";
import { measured, type Repetition } from "./rounds.ts";
import { SideProcess } from "./side-process.ts";
import type { TimeSetup } from "./sides/growth.ts";
import type { Programs } from "./sides.ts";
import { slope } from "./statistics.ts";

interface Series {
  readonly name: string;
  readonly key: keyof TimeSetup;
  readonly xs: readonly number[];
  operations(x: number): number;
}

const SERIES: readonly Series[] = [
  { name: "providers", key: "providers", xs: [1, 10, 100, 1_000, 10_000], operations: (x) => Math.ceil(1e5 / (x + 9)) },
  { name: "quotas of a provider", key: "quotas", xs: [1, 2, 4, 8], operations: () => 20_000 },
  { name: "capabilities", key: "capabilities", xs: [1, 10, 100, 1_000, 10_000, 1e5], operations: () => 20_000 },
  { name: "events in the window", key: "events", xs: [1, 10, 100, 1_000, 1e4, 1e5, 1e6], operations: () => 20_000 },
];

const MEMORY = [
  "idle provider",
  "busy provider",
  "waiter",
  "lease",
  "bytes allocated by select + observe at 2 providers",
  "bytes allocated by select + observe at 8 providers",
  "bytes allocated by tryAcquire + settle at 8 providers",
  "heap after 1e7 decisions less that after 1e5",
];

/** Time of one select + observe against the size of each kind. */
export async function growth(programs: Programs, { rounds }: Repetition): Promise<Growth[]> {
  const found: Growth[] = [];
  for (const { name, key, xs, operations } of SERIES) {
    const points: { x: number; y: number }[] = [];
    for (const x of xs) {
      const side = { ...programs("growth", "time"), setup: { [key]: x } };
      const group = { name, sides: [side], operations: operations(x) };
      const { sides } = await measured(group, { processes: 1, rounds });
      points.push({ x, y: sides["time"]!.best });
    }
    found.push({ name, points, slope: slope(points) });
    const texts = points.map(({ x, y }) => `${x.toLocaleString("en")}: ${Math.round(y).toLocaleString("en")} ns`);
    console.log(`time of select + observe against ${name}: ${texts.join(", ")}; slope ${slope(points).toFixed(2)}`);
  }
  return found;
}

/** Bytes, by what holds or allocates them. */
export async function memory(programs: Programs): Promise<{ [what: string]: number }> {
  const found: { [what: string]: number } = {};
  for (const what of MEMORY) {
    const flags = what.startsWith("bytes")
      ? ["--expose-gc", "--max-semi-space-size=512", "--min-semi-space-size=512"]
      : ["--expose-gc"];
    const process = await SideProcess.start({ ...programs("growth", "memory", ...flags), setup: what });
    found[what] = await process.check();
    process.end();
    console.log(`${what}: ${Math.round(found[what]).toLocaleString("en")} bytes`);
  }
  return found;
}

/** Shares of the time in which garbage is collected. */
export async function collecting(programs: Programs): Promise<{ [what: string]: number }> {
  const found: { [what: string]: number } = {};
  for (const what of [2, 8, 100].map((providers) => `select + observe at ${providers} providers`)) {
    const process = await SideProcess.start({ ...programs("growth", "collecting"), setup: what });
    found[what] = await process.check();
    process.end();
    console.log(`garbage is collected in ${(100 * found[what]).toFixed(1)} % of the time of ${what}`);
  }
  return found;
}
