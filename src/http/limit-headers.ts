import type { Dimension, ReportedQuota, WindowSpec } from "grate-limiter";
import type { HeaderReader } from "./dialect.ts";
import { countIn, resetIn } from "./header-values.ts";

/** Headers that describe one limit. */
export interface LimitHeaders {
  readonly dimension: Dimension;
  /** Names, with `*` for "limit", "remaining" and "reset". */
  readonly names: string;
  /** Window of the limit. Default: unknown. */
  readonly window?: WindowSpec;
  /** Header with the length of the window in seconds. */
  readonly windowName?: string;
  readonly resetKind?: "full" | "window";
  /** Amount to which `remaining` is rounded: half of it is subtracted. */
  readonly roundedTo?: number;
}

/** Limits that the headers of a table report. */
export function limitsIn(table: readonly LimitHeaders[], header: HeaderReader, epochMs: number): ReportedQuota[] {
  return table.flatMap((row) => limitIn(row, header, epochMs) ?? []);
}

function limitIn(
  { dimension, names, window, windowName, resetKind, roundedTo = 0 }: LimitHeaders,
  header: HeaderReader,
  epochMs: number,
): ReportedQuota | undefined {
  const read = (part: string) => header(names.replace("*", part));
  const limitText = read("limit");
  const limit = countIn(limitText);
  // 0 and -1 mean that the limit does not exist.
  if (limit === 0 || limitText?.trim().startsWith("-")) return undefined;
  const stated = countIn(read("remaining"));
  const remaining = stated === undefined ? undefined : Math.max(0, stated - roundedTo / 2);
  if (limit === undefined && remaining === undefined) return undefined;
  const reset = resetIn(read("reset"), header, epochMs);
  const seconds = countIn(windowName === undefined ? limitWindow(limitText) : header(windowName));
  const own = seconds === undefined || seconds === 0 ? window : { seconds };
  return {
    dimension,
    ...(own !== undefined && { window: own }),
    ...(limit !== undefined && { limit }),
    ...(remaining !== undefined && { remaining }),
    ...(reset !== undefined && { resetMs: reset.ms, resolutionMs: reset.resolutionMs }),
    ...(reset !== undefined && resetKind !== undefined && { resetKind }),
  };
}

/** Window of "100, 100;w=60", in seconds. */
function limitWindow(text: string | null): string | null {
  return /;\s?w=(\d{1,9})/.exec(text?.slice(0, 256) ?? "")?.[1] ?? null;
}
