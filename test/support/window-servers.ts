// The classical rate limits of servers, exact. Instants are integer ticks of 1/1024 ms, so no comparison depends on
// rounding. A server counts each accepted request at its arrival.

export const TICKS_PER_MS = 1_024;

export interface Server {
  readonly name: string;
  /** True if the server has capacity for `amount` at `tick`. Then the amount is counted. */
  accepts(amount: number, tick: number): boolean;
}

/** Counts from one reset to the next. Resets are at `phase` and every window from it. */
export function fixedWindowServer(limit: number, windowTicks: number, phase: number): Server {
  let current = Number.NaN;
  let used = 0;
  return {
    name: `fixed window, phase ${phase}`,
    accepts(amount, tick) {
      const window = Math.floor((tick - phase) / windowTicks);
      if (window !== current) used = 0;
      current = window;
      if (used + amount > limit) return false;
      used += amount;
      return true;
    },
  };
}

/** Counts everything that arrived less than a window ago. */
export function slidingLogServer(limit: number, windowTicks: number): Server {
  const log: { readonly tick: number; readonly amount: number }[] = [];
  let oldest = 0;
  let used = 0;
  return {
    name: "sliding log",
    accepts(amount, tick) {
      while (oldest < log.length && log[oldest]!.tick <= tick - windowTicks) used -= log[oldest++]!.amount;
      if (used + amount > limit) return false;
      log.push({ tick, amount });
      used += amount;
      return true;
    },
  };
}

/** Starts full, holds `capacity`, and refills `limit` per window. Levels are integers of 1/windowTicks. */
export function tokenBucketServer(limit: number, windowTicks: number, capacity: number): Server {
  const full = capacity * windowTicks;
  let level = full;
  let last = Number.NaN;
  return {
    name: `token bucket of ${capacity}`,
    accepts(amount, tick) {
      // The bucket is full anyway after this time, and the product would exceed the exact range of a double.
      const isFull = tick - last >= windowTicks * Math.ceil(capacity / Math.max(1, limit));
      if (isFull && limit > 0) level = full;
      else if (tick > last) level = Math.min(full, level + (tick - last) * limit);
      last = tick;
      if (amount * windowTicks > level) return false;
      level -= amount * windowTicks;
      return true;
    },
  };
}

/**
 * Every server that must never refuse a sliding log of `limit` in `window`. `phases` are those of the fixed windows.
 */
export function everyServer(limit: number, windowTicks: number, phases: readonly number[]): Server[] {
  return [
    slidingLogServer(limit, windowTicks),
    ...phases.map((phase) => fixedWindowServer(limit, windowTicks, phase)),
    tokenBucketServer(limit, windowTicks, limit),
    tokenBucketServer(limit, windowTicks, limit + 1),
    tokenBucketServer(limit, windowTicks, 3 * limit),
  ];
}
