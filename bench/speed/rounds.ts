import { type Side, SideProcess } from "./side-process.ts";
import { type Summary, summary } from "./statistics.ts";

export interface Group {
  readonly name: string;
  readonly sides: readonly Side[];
  /** Operations of every side in every round. */
  readonly operations: number;
}

export interface Measured {
  readonly name: string;
  readonly operations: number;
  readonly sides: { readonly [name: string]: Summary };
}

/** How often a group is measured. */
export interface Repetition {
  /** Fresh processes of each side: the same build differed by up to 10 % from process to process, but little within one. */
  readonly processes: number;
  /** Counted rounds of each process. */
  readonly rounds: number;
}

// Not counted: machines and engines warm up. An engine that compiles while it runs is not ready after two short rounds.
const WARM_UP_ROUNDS = 2;
const WARM_UP_NS = 1e9;

/** Rounds of all sides in turn, in another order each time, so that a disturbance of the machine affects all sides. */
export async function measured(group: Group, { processes, rounds }: Repetition): Promise<Measured> {
  const times = new Map<string, number[]>(group.sides.map(({ name }) => [name, []]));
  for (let i = 0; i < processes; i++) await measureOnce(group, rounds, times);
  const { name, operations } = group;
  return { name, operations, sides: Object.fromEntries([...times].map(([side, ns]) => [side, summary(ns)])) };
}

async function measureOnce(
  { sides, operations }: Group,
  rounds: number,
  times: ReadonlyMap<string, number[]>,
): Promise<void> {
  const processes: SideProcess[] = [];
  try {
    for (const side of sides) {
      const process = await SideProcess.start(side);
      processes.push(process);
      let spentNs = 0;
      for (let round = 0; round < WARM_UP_ROUNDS || spentNs < WARM_UP_NS; round++) {
        spentNs += (await process.round(operations)) * process.operations(operations);
      }
    }
    for (let round = 0; round < rounds; round++) {
      for (const process of processes) times.get(process.side.name)!.push(await process.round(operations));
      processes.push(processes.shift()!);
    }
  } finally {
    for (const process of processes) process.end();
  }
}
