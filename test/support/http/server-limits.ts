// How a server enforces a limit: exact, by definition and nothing else, so that a 429 is never its rounding. Instants are
// whole ticks, whatever a tick is. A server counts what it accepts, when it arrives.

/** One limit of one server. `fits` asks, `count` takes; a request that must fit several limits takes all or none. */
export interface TrueLimit {
  fits(amount: number, tick: number): boolean;
  count(amount: number, tick: number): void;
}

/** Counts from one reset to the next; resets are at `phase` and every window before and after it. */
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

/** Counts whatever arrived less than a window ago. */
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

/** Starts full, holds `limit`, refills `limit` a window. Levels are whole numbers of 1/windowTicks. */
export function tokenBucket(limit: number, windowTicks: number): TrueLimit {
  const full = limit * windowTicks;
  let level = full;
  let last = 0;
  return {
    fits(amount, tick) {
      // After a window it is full anyway: a longer product might be more than a double counts exactly.
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

/** `phase` matters to fixed windows alone. */
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
