/** The first instant from `at` on for which `isReached` holds, where rounding alone keeps it from holding at `at`. */
export function firstInstant(at: number, isReached: (at: number) => boolean): number {
  let reached = at;
  for (let step = Number.EPSILON; !isReached(reached); step *= 2) reached += Math.max(Math.abs(at), 1) * step;
  return reached;
}
