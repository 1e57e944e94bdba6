import { join } from "node:path";
import type { Size } from "../../scripts/bundle-size.ts";
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
  /** Shares of the time in which garbage is collected, 0 to 1. */
  readonly collecting: { readonly [what: string]: number };
  /** Of the import that every user needs, and of all there is. */
  readonly size: { readonly core: Size; readonly everything: Size } | null;
}

export interface Growth {
  readonly name: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
  readonly slope: number;
}

export const RESULTS: string = join(cache, "results.json");
