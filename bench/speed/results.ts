import { join } from "node:path";
import type { Size } from "../../scripts/bundle-size.ts";
import type { Cold } from "./cold.ts";
import type { Machine } from "./machine.ts";
import { RIVALS } from "./rivals.ts";
import type { Measured, Repetition } from "./rounds.ts";
import { cache } from "./sides.ts";

/** The results of the last run; those of a part that was not measured are empty. */
export interface Results {
  readonly machine: Machine;
  readonly repetition: Repetition;
  readonly rivals: { readonly [name: string]: string };
  readonly decisions: readonly Measured[];
  readonly conditions: readonly Measured[];
  readonly leases: readonly Measured[];
  readonly cold: Cold | null;
  readonly calls: readonly Measured[];
  readonly growth: readonly Growth[];
  readonly scaling: readonly Growth[];
  /** Bytes. */
  readonly memory: { readonly [what: string]: number };
  /** Shares of the time in which garbage is collected, 0 to 1. */
  readonly collecting: { readonly [what: string]: number };
  /** Of the import that every user needs, and of the whole package. */
  readonly size: { readonly core: Size; readonly everything: Size } | null;
}

export interface Growth {
  readonly name: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
  readonly slope: number;
  /** true: the series was stopped before its last point, which takes too long. */
  readonly isCut?: boolean;
}

export const RESULTS: string = join(cache, "results.json");

export const NO_RESULTS: Omit<Results, "machine" | "repetition"> = {
  rivals: RIVALS,
  decisions: [],
  conditions: [],
  leases: [],
  cold: null,
  calls: [],
  growth: [],
  scaling: [],
  memory: {},
  collecting: {},
  size: null,
};
