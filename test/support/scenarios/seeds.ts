import { effort } from "../test-effort.ts";

/** Seeds of a scenario: all in the full run, fewer in the short one. The variable SCENARIO_SEED selects one of them. */
export function seedsOf(full: number, short: number): readonly number[] {
  const one = process.env["SCENARIO_SEED"];
  if (one !== undefined) return [Number(one)];
  return Array.from({ length: effort(full, short) }, (_, seed) => seed);
}
