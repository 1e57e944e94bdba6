import type { Settlement } from "../api/lease.ts";
import type { TaskResult } from "../api/run-options.ts";
import { resultUsage } from "../observation/usage-shapes.ts";

/** The settlement of an attempt, with the usage that its result states if neither the task nor `classify` has reported one. */
export function withResultUsage(settlement: Settlement, result: TaskResult, hasReported: boolean): Settlement {
  if (!result.ok || hasReported || settlement.usage !== undefined || settlement.status !== "success") return settlement;
  const usage = resultUsage(result.value);
  return usage === undefined ? settlement : { ...settlement, usage };
}
