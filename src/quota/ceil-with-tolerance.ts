/** The next whole number; what is one but for so many of the last bits stays it: 0.0079 x 1e6 is a little more than 7900 in a double. */
export function ceilWithTolerance(amount: number, bits: number): number {
  const nearest = Math.round(amount);
  return Math.abs(amount - nearest) <= bits * Number.EPSILON * nearest ? nearest : Math.ceil(amount);
}
