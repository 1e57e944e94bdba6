/**
 * First instant from `at` on for which `isReached` is true, if only rounding makes it false at `at`. Infinity: no finite
 * instant.
 */
export function firstInstant(at: number, isReached: (at: number) => boolean): number {
  let reached = at;
  for (let step = Number.EPSILON; Number.isFinite(reached) && !isReached(reached); step *= 2) {
    reached += Math.max(Math.abs(at), 1) * step;
  }
  return Number.isFinite(reached) ? reached : Infinity;
}
