import type { StoreQuota, StoreWant } from "../api/store.ts";

/** Result of one message's wants. Lists of amounts are in the order of the message's quotas. */
export interface Serving {
  /** Number of calls served of each want. */
  readonly served: number[];
  /** Amounts granted beside the spare ones. */
  readonly granted: number[];
  /** The first want with a call that was not served; null: all were served. */
  readonly first: StoreWant | null;
  /** What that call lacks of each quota that it needs, beyond the spare amount. */
  readonly lacks: readonly (readonly [quota: number, amount: number])[];
}

/**
 * Serves wants in order from the spare amounts and from `left`, which it lowers. Each call is served in all of its quotas or
 * in none. The needs of a call that is not served are left to no call behind it.
 */
export function serve(quotas: readonly StoreQuota[], wants: readonly StoreWant[], left: number[]): Serving {
  const spare = quotas.map((quota) => quota.spare);
  const granted = quotas.map(() => 0);
  let first: StoreWant | null = null;
  let lacks: (readonly [number, number])[] = [];
  const served = wants.map((want) => {
    const { needs, count } = want;
    let calls = count;
    for (const [quota, need] of needs) {
      if (need > 0) calls = Math.min(calls, Math.floor((spare[quota]! + left[quota]!) / need));
    }
    for (const [quota, need] of needs) {
      const own = Math.min(spare[quota]!, need * calls);
      spare[quota]! -= own;
      left[quota]! -= need * calls - own;
      granted[quota]! += need * calls - own;
    }
    if (calls === count) return calls;
    if (first === null) {
      first = want;
      lacks = needs.map(([quota, need]) => [quota, need - spare[quota]!] as const);
    }
    for (const [quota, need] of needs) {
      const rest = need * (count - calls);
      const kept = Math.min(spare[quota]!, rest);
      spare[quota]! -= kept;
      left[quota] = Math.max(0, left[quota]! - (rest - kept));
    }
    return calls;
  });
  return { served, granted, first, lacks };
}
