import type { Metrics } from "./api/metrics.ts";

/** Counters of a limiter, writable. */
export type Counters = { -readonly [K in keyof Metrics]: number };

/** New counters, all 0. */
export function newCounters(): Counters {
  return {
    selects: 0,
    observations: 0,
    cooldownsTriggered: 0,
    noProviderAvailable: 0,
    leasesGranted: 0,
    leasesSettled: 0,
    leasesReleased: 0,
    leasesExpired: 0,
    tasksAbandoned: 0,
    refusals: 0,
    failovers: 0,
    invalidUsages: 0,
    unrecognizedOutcomes: 0,
    unmatchedReports: 0,
    storeExchanges: 0,
    storeFailures: 0,
    listenerErrors: 0,
  };
}
