// How long decisions take in a process that has just started and decides 200 times a second, so that little is compiled yet and
// other work has the processor's caches. Times are those of a wall clock around each decision: a decision is too short for the
// clock of processor time. A round that another process disturbs is slower, so the best process counts.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Program } from "./sides.ts";

const EVERY_MS = 5;
/** Providers of the cold processes. */
export const COLD_PROVIDERS = 8;
const DECISIONS = 1_000;
const FIRST = 100;

export interface ColdSetup {
  readonly decisions: number;
  readonly everyMs: number;
  readonly providers: number;
  /** A response of some kB, which is parsed and written once for each decision. */
  readonly body: { readonly usage: { readonly tokens: number }; readonly choices: readonly unknown[] };
}

/** ns for one decision, of the best process; the means and the medians are compared apart. */
export interface ColdTimes {
  readonly first: { readonly mean: number; readonly median: number };
  readonly next: { readonly mean: number; readonly median: number };
}

export interface Cold {
  readonly processes: number;
  readonly sides: { readonly [name: string]: ColdTimes };
}

const run = promisify(execFile);

/** Fresh processes of all programs in turn. */
export async function cold(programs: readonly Program[], processes: number): Promise<Cold> {
  const found = new Map<string, ColdTimes>();
  for (let round = 0; round < processes; round++) {
    for (let i = 0; i < programs.length; i++) {
      const program = programs[(i + round) % programs.length]!;
      const times = await coldTimes(program);
      const best = found.get(program.name) ?? times;
      found.set(program.name, { first: least(best.first, times.first), next: least(best.next, times.next) });
    }
  }
  return { processes, sides: Object.fromEntries(programs.map(({ name }) => [name, found.get(name)!])) };
}

async function coldTimes({ command, args }: Program): Promise<ColdTimes> {
  const { stdout } = await run(command, [...args, JSON.stringify(setup())]);
  const { nanoseconds } = JSON.parse(stdout) as { nanoseconds: number[] };
  return { first: middle(nanoseconds.slice(0, FIRST)), next: middle(nanoseconds.slice(FIRST)) };
}

function setup(): ColdSetup {
  const words = (length: number): string => "all work and no play ".repeat(length);
  const choices = Array.from({ length: 8 }, (_, index) => ({
    index,
    message: { role: "assistant", content: words(20) },
  }));
  return {
    decisions: DECISIONS,
    everyMs: EVERY_MS,
    providers: COLD_PROVIDERS,
    body: { usage: { tokens: 100 }, choices },
  };
}

function middle(times: readonly number[]): { mean: number; median: number } {
  const sorted = [...times].sort((a, b) => a - b);
  return { mean: times.reduce((sum, ns) => sum + ns, 0) / times.length, median: sorted[sorted.length >> 1]! };
}

function least(a: ColdTimes["first"], b: ColdTimes["first"]): ColdTimes["first"] {
  return { mean: Math.min(a.mean, b.mean), median: Math.min(a.median, b.median) };
}
