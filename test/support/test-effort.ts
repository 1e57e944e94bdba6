// The effort of expensive tests. `npm test` runs a short version of each, `npm run test:full` the full one.
// `vitest.config.ts` sets the variable by its mode.

/** True in `npm run test:full` and `npm run fuzz`. */
export const isFullEffort: boolean = process.env["TEST_EFFORT"] === "full";

/** Selects a number of seeds, items or windows. */
export function effort(full: number, short: number): number {
  return isFullEffort ? full : short;
}

/** Returns the number of runs of a property: all of them, or a quarter. The variable RUNS overrides it. */
export function propertyRuns(full: number): number {
  return Number(process.env["RUNS"] ?? effort(full, Math.ceil(full / 4)));
}
