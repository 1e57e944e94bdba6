// When can a new call be served behind the waiters ahead of it, if everything goes well?
//
//   at the first instant t at which, in every dimension that the call needs,
//   load of the waiters ahead + own load <= sum over its providers of the largest supply until t (see supply.ts),
//   and the same holds of the waiters of its key and the limits of the key
//
// Regimes: the answer is a lower bound. Waiters ahead are those that the call cannot overtake: of its kind and list, of a higher
// priority, or of its own priority and key. They neither abort nor time out. A waiter that is too large for one of the
// providers can be overtaken, and so can one that gets trials last. Sizes count if they are stated or learned. A quota that
// several providers share counts once.

import type { Capability } from "../provider/capability.ts";
import type { Provider } from "../provider/provider.ts";
import type { Registry } from "../provider/registry.ts";
import { REQUESTS } from "../quota/dimension-index.ts";
import type { Quota } from "../quota/quota.ts";
import { maxSupply } from "../quota/supply.ts";
import { addTo, demandFor, emptyLoad, UNSPECIFIED, type UsageVector } from "../quota/usage-vector.ts";
import type { RequestSpec } from "../selection/request-spec.ts";
import type { SelectionContext } from "../selection/selection-context.ts";
import type { Share } from "./fair-shares.ts";
import type { KeyQueue, LaneGroup } from "./waiter.ts";

// Instants beyond a year are not searched.
const LONGEST_MS = 31_536_000_000;
const NO_LOAD: UsageVector = emptyLoad();

/** Least load of a request on the providers that can serve it, by dimension; null: one of them can never serve it. */
export function loadOf(request: RequestSpec, capability: Capability, registry: Registry): UsageVector | null {
  let load: UsageVector | null = null;
  for (const entry of registry.listed(capability)) {
    const { name, provider } = entry;
    if (provider === null || request.excludes(name)) continue;
    const isSized = request.isFullySpecified || capability.sizeOn(name).isKnown;
    const { amounts } = request.demandOn(capability, entry, true);
    if (!fits(amounts, provider)) return null;
    const known = amounts.map((amount, index) =>
      amount === UNSPECIFIED || !(isSized || index === REQUESTS) ? 0 : amount,
    );
    const least: UsageVector | null = load;
    load = least === null ? known : known.map((amount, index) => Math.min(amount, least[index]!));
  }
  return load;
}

/** A call that would wait. */
interface Newcomer {
  readonly load: UsageVector;
  readonly capability: Capability;
  readonly request: RequestSpec;
  readonly priority: number;
  /** The share of its key; undefined: no waiter has its key. */
  readonly share: Share<KeyQueue> | undefined;
  readonly maxWaitMs: number;
}

/** Least time (ms) after which a new call can be served behind a group; 0 if it can be in time. Infinity: not within a year. */
export function waitBehind(group: LaneGroup, call: Newcomer, parts: SelectionContext, now: number): number {
  const { registry, keyLimits } = parts;
  const { request, capability, load, maxWaitMs } = call;
  const keyQuotas = keyLimits?.of(request.fairnessKey, capability.name, now)?.quotas ?? [];
  const ofKey = keyQuotas.length === 0 ? NO_LOAD : loadAhead(group, call, true);
  const providers = registry.listed(capability).flatMap(({ name, provider }) => {
    return provider === null || request.excludes(name) ? [] : provider;
  });
  const isServable = (ahead: UsageVector, ms: number) =>
    load.every((need, index) => need === 0 || need + ahead[index]! <= supplyOf(providers, index, now + ms, now)) &&
    keyQuotas.every((quota) => {
      const need = load[quota.index]!;
      return need === 0 || need + ofKey[quota.index]! <= maxSupply(quota, now + ms, now);
    });
  // A waiter that has become too large for a provider can be overtaken.
  if (!providers.every((provider) => fits(group.largest, provider))) return 0;
  // The times of refusals are rounded up. The load of the whole group is known, that of the waiters ahead must be added up.
  if (isServable(group.load, maxWaitMs + 1)) return 0;
  const ahead = loadAhead(group, call);
  if (isServable(ahead, maxWaitMs + 1)) return 0;
  let low = Math.floor(maxWaitMs + 1);
  let high = 2 * low;
  for (; !isServable(ahead, high); high *= 2) {
    low = high;
    if (high > LONGEST_MS) return Infinity;
  }
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (isServable(ahead, middle)) high = middle;
    else low = middle;
  }
  return high;
}

/** Least time (ms) after which a call that is refused now can be served behind a group; 0: no waiter is ahead. */
export function delayBehind(
  group: LaneGroup | undefined,
  call: Pick<Newcomer, "capability" | "request" | "priority" | "share">,
  parts: SelectionContext,
  now: number,
): number {
  const load = group === undefined ? null : loadOf(call.request, call.capability, parts.registry);
  return load === null ? 0 : waitBehind(group!, { ...call, load, maxWaitMs: 0 }, parts, now);
}

/** Load of the waiters that the call cannot overtake; `isOfKey`: of those with its priority and key. */
function loadAhead({ lanes }: LaneGroup, { priority, share }: Newcomer, isOfKey = false): UsageVector {
  const load = emptyLoad();
  for (const lane of lanes.values()) {
    if (lane.priority > priority && !isOfKey) addTo(load, lane.load);
    const own = lane.priority === priority && share !== undefined ? lane.queues.get(share) : undefined;
    if (own !== undefined) addTo(load, own.load);
  }
  return load;
}

function supplyOf(providers: readonly Provider[], index: number, at: number, now: number): number {
  const counted = new Set<Quota>();
  let supply = 0;
  for (const { quotas } of providers) {
    let least = Infinity;
    let scarcest: Quota | null = null;
    for (const quota of quotas) {
      const most = quota.index === index ? maxSupply(quota, at, now) : Infinity;
      if (most >= least) continue;
      least = most;
      scarcest = quota;
    }
    if (scarcest === null) return Infinity;
    if (!counted.has(scarcest)) supply += least;
    counted.add(scarcest);
  }
  return supply;
}

function fits(amounts: UsageVector, { quotas }: Provider): boolean {
  return quotas.every(({ index, capacity }) => demandFor(amounts, index) <= capacity);
}
