// Reads reported limits, and finds the quota that each belongs to.
//
//   The dimension must be the same. With a window: the quota of that window. Without: the quota with the reported limit, else
//   the one whose window a time to full shows. Own quotas come before those of pools; two equal matches count as no match.
//
// Regimes: "the only quota of that dimension" is no rule. Some providers report a limit per day and per minute under the same
// name, and a day's report on a quota per minute would shut the provider out.
import { DIMENSIONS, type Dimension } from "../api/dimension.ts";
import type { ReportedQuota } from "../api/reported-quota.ts";
import type { WindowSpec } from "../api/window.ts";
import type { Counters } from "../metrics.ts";
import type { Quota } from "../quota/quota.ts";
import { quotaKey } from "../quota/quota-spec.ts";
import { isTimeToFull, type Report } from "../quota/reported-limits.ts";
import { WINDOW_MS } from "../quota/window.ts";
import { isRecord } from "../validation/problems.ts";
import { query, validate } from "../validation/schemas.ts";
import type { Vocabulary } from "../validation/vocabulary.ts";

type Fields = { readonly [K in keyof ReportedQuota]?: unknown };
type Parts = Pick<Counters, "invalidUsages" | "unmatchedReports">;

/** No provider reports more limits. */
const MOST_REPORTS = 64;

/** Calls `apply` for each valid report with its quota; counts the others. Never throws. */
export function readReports(
  reported: unknown,
  quotas: readonly Quota[],
  counters: Parts,
  vocabulary: Vocabulary,
  apply: (quota: Quota, report: Report) => void,
): void {
  if (reported === undefined || reported === null) return;
  const entries = Array.isArray(reported) ? reported : [null];
  counters.invalidUsages += Math.max(0, entries.length - MOST_REPORTS);
  for (const fields of entries.slice(0, MOST_REPORTS)) {
    if (!isNamed(fields, vocabulary)) {
      counters.invalidUsages++;
      continue;
    }
    const read = (key: "limit" | "remaining" | "resetMs" | "resolutionMs", least: number): number | undefined => {
      const value = fields[key];
      if (value === undefined || value === null) return undefined;
      if (typeof value === "number" && Number.isFinite(value)) return value >= least ? value : undefined;
      counters.invalidUsages++;
      return undefined;
    };
    const { resetKind } = fields;
    if (resetKind !== undefined && resetKind !== "full" && resetKind !== "window") counters.invalidUsages++;
    const limit = read("limit", 1);
    const remaining = read("remaining", 0);
    const report: Report = {
      limit: limit && Math.floor(limit),
      remaining: remaining && Math.floor(remaining),
      resetMs: read("resetMs", 0),
      resetKind: resetKind === "full" || resetKind === "window" ? resetKind : undefined,
      resolutionMs: read("resolutionMs", 0),
    };
    const { dimension, window } = fields;
    const key = window === undefined ? null : quotaKey(dimension as Dimension, window as WindowSpec);
    const quota = quotaOf(report, dimension as Dimension, key, quotas);
    if (quota === undefined) counters.unmatchedReports++;
    else apply(quota, report);
  }
}

/** True if the dimension and the window are valid. */
function isNamed(fields: unknown, vocabulary: Vocabulary): fields is Fields {
  if (!isRecord(fields)) return false;
  const { dimension, window } = fields;
  // The full check takes a hundred times as long.
  const isKnown = window === undefined || (typeof window === "string" && Object.hasOwn(WINDOW_MS, window));
  if (isKnown) return (DIMENSIONS as readonly unknown[]).includes(dimension);
  try {
    validate(query, { dimension, window }, vocabulary);
    return true;
  } catch {
    return false;
  }
}

function quotaOf(
  report: Report,
  dimension: Dimension,
  key: string | null,
  quotas: readonly Quota[],
): Quota | undefined {
  const { limit, remaining } = report;
  const find = (isMatch: (quota: Quota) => boolean): readonly Quota[] => {
    const found = quotas.filter((quota) => quota.spec.dimension === dimension && isMatch(quota));
    const own = found.filter(({ pool }) => pool === null);
    return own.length > 0 ? own : found;
  };
  const hasLimit = ({ spec }: Quota) => spec.limit === limit || spec.capacity === limit;
  let found = find(({ spec }) => spec.key === key);
  if (found.length > 1) found = find((quota) => quota.spec.key === key && hasLimit(quota));
  if (key === null) {
    found = find(hasLimit);
    if (found.length === 0 && report.resetKind === "full" && limit !== undefined && remaining !== undefined) {
      const exact = { ...report, resolutionMs: 0 };
      found = find(({ spec: { windowMs } }) => windowMs !== null && isTimeToFull(exact, limit - remaining, windowMs));
    }
  }
  return found.length === 1 ? found[0] : undefined;
}
