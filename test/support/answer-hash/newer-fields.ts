// Fields that were added after the hashes of the classic profile were recorded. A field that is 0 is left out of the answers,
// so that the hashes stay comparable, and one that is not 0 counts. The same holds for null.
import type { Inspection, Metrics, QuotaForecast } from "../../../src/index.ts";

const NEWER: readonly string[] = [
  "tasksAbandoned",
  "abandonedTasks",
  "unrecognizedOutcomes",
  "unmatchedReports",
  "listenerErrors",
  "storeExchanges",
  "storeFailures",
  "store",
  "inHand",
  "dialect",
];

function withoutZeros<T extends object>(fields: T): Partial<T> {
  const kept = Object.entries(fields).filter(
    ([name, value]) => (value !== 0 && value !== null) || !NEWER.includes(name),
  );
  return Object.fromEntries(kept) as Partial<T>;
}

/** The counters as the hashes take them. */
export function comparableMetrics(metrics: Metrics): unknown {
  return withoutZeros(metrics);
}

/** The forecasts as the hashes take them. */
export function comparableForecasts(forecasts: readonly QuotaForecast[] | null): unknown {
  return forecasts?.map(withoutZeros) ?? null;
}

/** The inspection as the hashes take it. */
export function comparableInspection(inspection: Inspection): unknown {
  return {
    ...withoutZeros(inspection),
    // It repeats what the answers contain: the calls, their waits, and the refusals.
    queue: undefined,
    providers: inspection.providers.map((provider) => ({
      ...withoutZeros(provider),
      quotas: comparableForecasts(provider.quotas),
    })),
    metrics: comparableMetrics(inspection.metrics),
  };
}
