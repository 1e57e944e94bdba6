import type { GrateLimiterOptions } from "../api/options.ts";
import type { EngineTime } from "../clock/engine-time.ts";
import type { FleetFactory, FleetHost } from "../fleet/fleet-link.ts";
import { quotaSpecs } from "../quota/quota-spec.ts";
import { rank } from "../selection/select.ts";
import type { Admission } from "./admission.ts";

/** Shares the limits of a limiter through the store of its options. */
export function connectStore(
  admission: Admission,
  time: EngineTime,
  { store, whenStoreIsDown = "share", aheadMs = 200, processTtlMs = 10_000, random }: GrateLimiterOptions,
): void {
  const { selection } = admission;
  const host: FleetHost = {
    registry: selection.registry,
    counters: selection.counters,
    events: selection.events,
    minimumHealth: selection.minimumHealth,
    random: random ?? Math.random,
    get now() {
      return time.now;
    },
    wakeAt: (atMs, wake, isBackground) => time.wakeAt(atMs, wake, isBackground),
    newPlace: (now) => selection.profile.createQuota(quotaSpecs({ concurrency: 1 }, [], null)[0]!, null, time, now),
    waiters: admission.waiters,
    rankingFor: (capability, request, now) => rank(capability, request, selection, now, true),
    beginStep: () => admission.beginStep(),
    endStep: () => admission.endStep(),
    capacityFreed: () => admission.capacityFreed(),
  };
  const fleet = (store!.connect as FleetFactory)(host, { whenStoreIsDown, aheadMs, processTtlMs });
  admission.fleet = fleet;
  fleet.reconfigured(time.now);
}
