/** What the rounds of one side come to (ns per operation). */
export interface Summary {
  readonly best: number;
  readonly median: number;
  /** Of the slowest round, above the best, as a share of it. */
  readonly spread: number;
}

export function summary(rounds: readonly number[]): Summary {
  const sorted = [...rounds].sort((a, b) => a - b);
  const best = sorted[0]!;
  return { best, median: sorted[sorted.length >> 1]!, spread: sorted.at(-1)! / best - 1 };
}

/** The slope of the line that fits log y against log x best: 0 is flat, 1 proportional. */
export function slope(points: readonly { readonly x: number; readonly y: number }[]): number {
  const logs = points.map(({ x, y }) => ({ x: Math.log(x), y: Math.log(y) }));
  const meanX = logs.reduce((sum, { x }) => sum + x, 0) / logs.length;
  const meanY = logs.reduce((sum, { y }) => sum + y, 0) / logs.length;
  const along = logs.reduce((sum, { x, y }) => sum + (x - meanX) * (y - meanY), 0);
  return along / logs.reduce((sum, { x }) => sum + (x - meanX) ** 2, 0);
}
