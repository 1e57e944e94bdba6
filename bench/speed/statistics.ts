/** Summary of the rounds of one side (ns per operation). */
export interface Summary {
  readonly best: number;
  readonly median: number;
  /** Slowest round / best round - 1. */
  readonly spread: number;
}

export function summary(rounds: readonly number[]): Summary {
  const sorted = [...rounds].sort((a, b) => a - b);
  const best = sorted[0]!;
  return { best, median: sorted[sorted.length >> 1]!, spread: sorted.at(-1)! / best - 1 };
}

/** Slope of the best fit of log y against log x. 0: flat. 1: proportional. */
export function slope(points: readonly { readonly x: number; readonly y: number }[]): number {
  const logs = points.map(({ x, y }) => ({ x: Math.log(x), y: Math.log(y) }));
  const meanX = logs.reduce((sum, { x }) => sum + x, 0) / logs.length;
  const meanY = logs.reduce((sum, { y }) => sum + y, 0) / logs.length;
  const along = logs.reduce((sum, { x, y }) => sum + (x - meanX) * (y - meanY), 0);
  return along / logs.reduce((sum, { x }) => sum + (x - meanX) ** 2, 0);
}
