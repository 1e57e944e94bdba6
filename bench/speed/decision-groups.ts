import type { Group } from "./rounds.ts";
import type { Program, Programs } from "./sides.ts";
import type { Setup } from "./work.ts";

export const SIZES = [2, 8, 100, 1_000] as const;
export const PROFILES = ["anticipatory", "classic"] as const;
// A round of the slowest side takes about a tenth of a second; the Python package does fewer operations.
const OPERATIONS: { readonly [providers: number]: number } = { 2: 100_000, 8: 40_000, 100: 4_000, 1000: 400 };

/** Both profiles of this build, then both of the earlier one if there is one. */
export function profilePrograms(programs: Programs, earlier: Programs | undefined): Program[] {
  const own = PROFILES.map((profile) => programs("decisions", profile));
  if (earlier === undefined) return own;
  return [...own, ...PROFILES.map((profile) => ({ ...earlier("decisions", profile), name: earlierName(profile) }))];
}

/** Name of a side of the earlier build. */
export function earlierName(side: string): string {
  return `${side}, earlier`;
}

/** All programs do the same work. */
export function decisionGroup(name: string, programs: readonly Program[], setup: Setup): Group {
  const sides = programs.map((program) => ({ ...program, setup }));
  return { name: `${name}, ${setup.providers} providers`, sides, operations: OPERATIONS[setup.providers]! };
}
