import { type Side, SideProcess } from "./side-process.ts";
import { type Summary, summary } from "./statistics.ts";

export interface Group {
  readonly name: string;
  readonly sides: readonly Side[];
  /** In every round, of every side. */
  readonly operations: number;
}

export interface Measured {
  readonly name: string;
  readonly operations: number;
  readonly sides: { readonly [name: string]: Summary };
}

// Not counted: machines and engines warm up. Engines that compile while they run are still at it after two rounds.
const WARM_UP_ROUNDS = 2;
const WARM_UP_NS = 1e9;

/** Rounds go from side to side, each round in another order, so that what the machine does meanwhile meets all of them. */
export async function measured({ name, sides, operations }: Group, rounds: number): Promise<Measured> {
  const processes: SideProcess[] = [];
  const times = new Map<string, number[]>(sides.map((side) => [side.name, []]));
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
  return { name, operations, sides: Object.fromEntries([...times].map(([side, ns]) => [side, summary(ns)])) };
}
