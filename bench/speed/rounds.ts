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

// Not counted: machines and engines warm up.
const WARM_UP = 2;

/** Rounds go from side to side, each round in another order, so that what the machine does meanwhile meets all of them. */
export async function measured({ name, sides, operations }: Group, rounds: number): Promise<Measured> {
  const processes: SideProcess[] = [];
  const times = new Map<string, number[]>(sides.map((side) => [side.name, []]));
  try {
    for (const side of sides) processes.push(await SideProcess.start(side));
    for (let round = -WARM_UP; round < rounds; round++) {
      for (const process of processes) {
        const ns = await process.round(operations);
        if (round >= 0) times.get(process.side.name)!.push(ns);
      }
      processes.push(processes.shift()!);
    }
  } finally {
    for (const process of processes) process.end();
  }
  return { name, operations, sides: Object.fromEntries([...times].map(([side, ns]) => [side, summary(ns)])) };
}
