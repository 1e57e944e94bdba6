/**
 * Rounds up to a whole number, except if the amount is within `bits` rounding errors of a whole number: then to that one.
 * Example: 0.0079 x 1e6 is a little more than 7900 in a double, and the result is 7900.
 */
export function ceilWithTolerance(amount: number, bits: number): number {
  const nearest = Math.round(amount);
  return Math.abs(amount - nearest) <= bits * Number.EPSILON * nearest ? nearest : Math.ceil(amount);
}
