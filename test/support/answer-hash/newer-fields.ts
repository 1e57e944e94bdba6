// Fields that were added after the hashes of the classic profile were recorded. A field that is 0 or null is left out of the answers,
// so that the hashes stay comparable, and one that is neither counts.
import type { Inspection, Metrics } from "../../../src/index.ts";

const NEWER: readonly string[] = [
  "tasksAbandoned",
  "abandonedTasks",
  "unrecognizedOutcomes",
  "unmatchedReports",
  "listenerErrors",
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

/** The inspection as the hashes take it. */
export function comparableInspection(inspection: Inspection): unknown {
  return {
    ...inspection,
    // It repeats what the answers contain: the calls, their waits, and the refusals.
    queue: undefined,
    providers: inspection.providers.map(withoutZeros),
    metrics: comparableMetrics(inspection.metrics),
  };
}
