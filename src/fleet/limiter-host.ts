import type { GrateLimiterOptions } from "../api/options.ts";
import type { EngineTime } from "../clock/engine-time.ts";
import { CONCURRENCY } from "../quota/dimension-index.ts";
import type { QuotaSpec } from "../quota/quota-spec.ts";
import type { FleetFactory, FleetHost, FleetOptions, LimiterParts } from "./fleet-link.ts";

const ONE_PLACE: QuotaSpec = {
  dimension: "concurrency",
  index: CONCURRENCY,
  limit: 1,
  window: null,
  windowMs: null,
  strategy: "concurrency",
  capacity: 1,
  resetEpochMs: null,
  countsAtEnd: false,
  isUncached: false,
  key: "trial",
};

/** The limiter as its fleet sees it. */
export function hostOf(
  limiter: LimiterParts,
  time: EngineTime,
  rankProviders: Parameters<FleetFactory>[2],
  { random }: GrateLimiterOptions,
): FleetHost {
  const { selection, waiters } = limiter;
  const { registry, counters, events, minimumHealth, profile } = selection;
  return {
    registry,
    counters,
    events,
    minimumHealth,
    random: random ?? Math.random,
    get now() {
      return time.now;
    },
    wakeAt: (atMs, wake, isBackground) => time.wakeAt(atMs, wake, isBackground),
    newPlace: (now) => profile.createQuota(ONE_PLACE, null, time, now),
    waiters,
    rankingFor: (capability, request, now) => rankProviders(capability, request, selection, now, true),
    beginStep: () => limiter.beginStep(),
    endStep: () => limiter.endStep(),
    capacityFreed: () => limiter.capacityFreed(),
  };
}

/** The options with all defaults filled in. */
export function fleetOptions(options: GrateLimiterOptions): FleetOptions {
  const { whenStoreIsDown = "share", aheadMs = 200, processTtlMs = 10_000 } = options;
  return { whenStoreIsDown, aheadMs, processTtlMs };
}
