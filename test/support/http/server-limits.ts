// The exact limits of the test servers, free of rounding, so that a 429 is never a rounding error. Instants are integer
// ticks of any length. A server counts each accepted request at its arrival.

/**
 * One limit of one server. `fits` checks and `count` records. A request with several limits is recorded in all or none.
 */
export interface TrueLimit {
  fits(amount: number, tick: number): boolean;
  count(amount: number, tick: number): void;
}

/** Counts from one reset to the next. Resets are at `phase` and every window before and after it. */
export function fixedWindow(limit: number, windowTicks: number, phase: number): TrueLimit {
  let current = Number.NaN;
  let used = 0;
  return {
    fits(amount, tick) {
      const window = Math.floor((tick - phase) / windowTicks);
      if (window !== current) used = 0;
      current = window;
      return used + amount <= limit;
    },
    count(amount) {
      used += amount;
    },
  };
}

/** Counts everything that arrived less than a window ago. */
export function slidingLog(limit: number, windowTicks: number): TrueLimit {
  const log: { readonly tick: number; readonly amount: number }[] = [];
  let oldest = 0;
  let used = 0;
  return {
    fits(amount, tick) {
      while (oldest < log.length && log[oldest]!.tick <= tick - windowTicks) used -= log[oldest++]!.amount;
      return used + amount <= limit;
    },
    count(amount, tick) {
      log.push({ tick, amount });
      used += amount;
    },
  };
}

/** Starts full, holds `limit`, and refills `limit` per window. Levels are integers of 1/windowTicks. */
export function tokenBucket(limit: number, windowTicks: number): TrueLimit {
  const full = limit * windowTicks;
  let level = full;
  let last = 0;
  return {
    fits(amount, tick) {
      // After a window the bucket is full anyway, and a longer product could exceed the exact range of a double.
      level = tick - last >= windowTicks ? full : Math.min(full, level + (tick - last) * limit);
      last = tick;
      return amount * windowTicks <= level;
    },
    count(amount) {
      level -= amount * windowTicks;
    },
  };
}

/** The ways in which amounts per window are counted. */
export type WindowAlgorithm = "fixed window" | "sliding log" | "token bucket";

/** `phase` is used by fixed windows only. */
export function windowLimit(algorithm: WindowAlgorithm, limit: number, windowTicks: number, phase: number): TrueLimit {
  switch (algorithm) {
    case "fixed window":
      return fixedWindow(limit, windowTicks, phase);
    case "sliding log":
      return slidingLog(limit, windowTicks);
    case "token bucket":
      return tokenBucket(limit, windowTicks);
  }
}
