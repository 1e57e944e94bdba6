// Puts a saved state into a new limiter, as far as its configuration has the same providers, pools and capabilities.
//
//   elapsed = wall clock now - savedAt, if that is from 0 to a year; else 0         savedAt as an engine instant: now - elapsed
//
//   a quota takes the state of   1. the next saved quota of the same kind (it differs in its limit at most), else
//                                2. the fullest one of the same dimension, a window that is not longer, counted as used now
//
//   open amounts count from      min(now, savedAt + skewCapMs); of quotas that count at the end of a request, from now
//   open places are held until   savedAt + min(leaseTimeoutMs, max(5 s, 5 mean latencies)), 60 s if no latency is known
//
// Regimes: usage in a shorter window is certainly in a longer one. Usage in a longer window might not be in a shorter one, so
// a day's sum does not block a minute. Everything without a match is ignored, so that no configuration prevents a start.

import type { LimiterSnapshot, QuotaSnapshot } from "../api/snapshot.ts";
import type { EngineTime } from "../clock/engine-time.ts";
import type { Provider } from "../provider/provider.ts";
import type { Registry } from "../provider/registry.ts";
import type { Quota } from "../quota/quota.ts";
import { kindOf } from "../quota/quota-spec.ts";

const YEAR_MS = 366 * 86_400_000;
const UNKNOWN_PLACE_MS = 60_000;

/** Options of the limiter that decide how long open requests count. */
export interface OpenTimes {
  readonly skewCapMs: number;
  readonly leaseTimeoutMs: number;
}

/** Restores a valid snapshot into providers that have no state yet. */
export function restoreSnapshot(
  snapshot: LimiterSnapshot,
  registry: Registry,
  time: EngineTime,
  times: OpenTimes,
): void {
  const { now } = time;
  const elapsed = snapshot.savedAt === null ? NaN : time.epochAt(now) - snapshot.savedAt;
  const savedAt = elapsed >= 0 && elapsed <= YEAR_MS ? now - elapsed : now;
  for (const [name, saved] of Object.entries(snapshot.providers)) {
    const provider = registry.providers.get(name);
    if (provider === undefined) continue;
    provider.health.restore?.(saved.health, savedAt);
    if (saved.ramp !== null) provider.ramp.restore(saved.ramp, savedAt);
    restoreQuotas(saved.quotas, provider.ownQuotas, [provider], savedAt, now, times);
    if (provider.cooldownMs(now) > 0) provider.cooldownStartEmitted();
  }
  const providers = [...registry.providers.values()];
  for (const [name, saved] of Object.entries(snapshot.pools)) {
    const pool = registry.pools.get(name);
    if (pool === undefined) continue;
    const members = providers.filter(({ pools }) => pools.includes(pool));
    restoreQuotas(saved, pool.quotas, members, savedAt, now, times);
  }
  for (const [name, saved] of Object.entries(snapshot.sizes)) {
    const capability = registry.capabilities.get(name);
    for (const [provider, size] of Object.entries(saved)) {
      if (capability?.list.names.has(provider)) capability.sizeOn(provider).restore(size, savedAt);
    }
  }
  for (const provider of providers) provider.invalidate();
}

function restoreQuotas(
  saved: readonly QuotaSnapshot[],
  quotas: readonly Quota[],
  providers: readonly Provider[],
  savedAt: number,
  now: number,
  { skewCapMs, leaseTimeoutMs }: OpenTimes,
): void {
  const unmatched = new Map<string, QuotaSnapshot[]>();
  for (const each of [...saved].reverse()) unmatched.set(each.kind, [...(unmatched.get(each.kind) ?? []), each]);
  const placeMs = Math.min(leaseTimeoutMs, Math.max(0, ...providers.map(placeMsOf)));
  for (const quota of quotas) {
    const { strategy, countsAtEnd } = quota.spec;
    const same = unmatched.get(kindOf(quota.spec))?.pop();
    if (same === undefined) {
      const used = usedOf(saved, quota, savedAt, now);
      if (used > 0) quota.tracker.record(Math.min(Math.ceil(used), quota.largest), now);
    } else if (strategy === "concurrency") quota.restore(same, savedAt + placeMs, savedAt, now);
    else quota.restore(same, countsAtEnd ? now : Math.min(now, savedAt + skewCapMs), savedAt, now);
  }
}

/** Usage of a quota without a saved one of its kind, as far as it is certainly in its window. */
function usedOf(saved: readonly QuotaSnapshot[], { spec }: Quota, savedAt: number, now: number): number {
  const { windowMs, key, dimension } = spec;
  if (spec.strategy === "concurrency") return 0;
  const similar = saved.filter((each) => {
    if (each.key === key) return each.windowMs === null || now - savedAt < each.windowMs;
    if (!each.key.startsWith(`${dimension} `) || each.windowMs === null) return false;
    return now - savedAt < each.windowMs && (windowMs === null || each.windowMs <= windowMs);
  });
  return Math.max(0, ...similar.map(({ used }) => used));
}

function placeMsOf({ health, hungAfterMs }: Provider): number {
  return health.latencyMs === null ? UNKNOWN_PLACE_MS : hungAfterMs;
}
