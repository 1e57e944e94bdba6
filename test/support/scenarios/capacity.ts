// Capacity of simulated providers, and of the oracle: both count by the same rules. A request counts 1.

/** How a provider limits its requests. */
export type Capacity =
  | { readonly kind: "unlimited" }
  | { readonly kind: "fixed window"; readonly limit: number; readonly windowMs: number; readonly phaseMs: number }
  | { readonly kind: "sliding log"; readonly limit: number; readonly windowMs: number }
  | { readonly kind: "token bucket"; readonly limit: number; readonly windowMs: number }
  | { readonly kind: "concurrency"; readonly places: number };

/** Counts the requests of one provider. Instants do not go back. */
export interface CapacityCounter {
  /** First instant from `at` on that has capacity, if nothing else is taken. Infinity: only `release` frees any. */
  earliest(at: number): number;
  /** Takes capacity at an instant that has it. */
  take(at: number): void;
  /** Frees the place of a request from `at` on. */
  release(at: number): void;
}

export function countCapacity(capacity: Capacity): CapacityCounter {
  switch (capacity.kind) {
    case "unlimited":
      return { earliest: (at) => at, take() {}, release() {} };
    case "fixed window":
      return fixedWindow(capacity.limit, capacity.windowMs, capacity.phaseMs);
    case "sliding log":
      return slidingLog(capacity.limit, capacity.windowMs);
    case "token bucket":
      return tokenBucket(capacity.limit, capacity.windowMs);
    case "concurrency":
      return places(capacity.places);
  }
}

function fixedWindow(limit: number, windowMs: number, phaseMs: number): CapacityCounter {
  const used = new Map<number, number>();
  const windowOf = (at: number) => Math.floor((at - phaseMs) / windowMs);
  return {
    earliest(at) {
      let window = windowOf(at);
      if ((used.get(window) ?? 0) < limit) return at;
      while ((used.get(window) ?? 0) >= limit) window++;
      return window * windowMs + phaseMs;
    },
    take(at) {
      used.set(windowOf(at), (used.get(windowOf(at)) ?? 0) + 1);
    },
    release() {},
  };
}

function slidingLog(limit: number, windowMs: number): CapacityCounter {
  const taken: number[] = [];
  return {
    earliest: (at) => (taken.length < limit ? at : Math.max(at, taken[taken.length - limit]! + windowMs)),
    take: (at) => void taken.push(at),
    release() {},
  };
}

function tokenBucket(limit: number, windowMs: number): CapacityCounter {
  let level = limit;
  let last = 0;
  const levelAt = (at: number) => Math.min(limit, level + ((at - last) * limit) / windowMs);
  return {
    earliest(at) {
      const missing = 1 - levelAt(at);
      // Tolerates the rounding of sums of refills.
      return missing <= 1e-9 ? at : at + Math.ceil((missing * windowMs) / limit);
    },
    take(at) {
      level = Math.max(0, levelAt(at) - 1);
      last = at;
    },
    release() {},
  };
}

function places(count: number): CapacityCounter {
  // Instants from which free places can be used.
  const free: number[] = Array.from({ length: count }, () => 0);
  return {
    earliest: (at) => (free.length === 0 ? Infinity : Math.max(at, Math.min(...free))),
    take: () => void free.splice(free.indexOf(Math.min(...free)), 1),
    release: (at) => void free.push(at),
  };
}
