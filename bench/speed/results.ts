import { join } from "node:path";
import type { Machine } from "./machine.ts";
import type { Measured } from "./rounds.ts";
import { cache } from "./sides.ts";

/** Everything that a run found. */
export interface Results {
  readonly machine: Machine;
  readonly rounds: number;
  readonly rivals: { readonly [name: string]: string };
  readonly decisions: readonly Measured[];
  readonly leases: readonly Measured[];
  readonly calls: readonly Measured[];
  readonly growth: readonly Growth[];
  /** Bytes. */
  readonly memory: { readonly [what: string]: number };
}

export interface Growth {
  readonly name: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
  readonly slope: number;
}

export const RESULTS: string = join(cache, "results.json");
