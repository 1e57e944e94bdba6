import { DIMENSIONS, type Dimension } from "../api/dimension.ts";
import { LIMIT_NAMES, type Limits, type QuotaConfig } from "../api/provider-config.ts";
import type { WindowSpec } from "../api/window.ts";
import { quotaOfWord } from "./limit-words.ts";
import { ownWindow, rollingWindowMs, windowKey } from "./window.ts";

/** How a quota is counted. */
export type Strategy = "sliding_window" | "token_bucket" | "fixed_window" | "concurrency";

/** One limit, checked and complete: every field there, whole numbers, nothing shared with what the caller gave. */
export interface QuotaSpec {
  readonly dimension: Dimension;
  /** Index of the dimension in arrays of amounts. */
  readonly index: number;
  readonly limit: number;
  /** As it was declared; null for concurrency. */
  readonly window: WindowSpec | null;
  /** Length of a rolling window in ms; null for concurrency and calendar periods. */
  readonly windowMs: number | null;
  readonly strategy: Strategy;
  /** The most it can hold at once: `burst` of a token bucket, else `limit`. */
  readonly capacity: number;
  /** A known reset instant of a fixed window, Unix ms. */
  readonly resetEpochMs: number | null;
  readonly countsAtEnd: boolean;
  /** Equal for quotas of the same dimension and window. */
  readonly key: string;
}

/** The quotas that `limits` and `quotas` declare together, `limits` first. Both must have passed the validator. */
export function quotaSpecs(
  limits: { readonly [K in keyof Limits]?: number | null | undefined } | undefined,
  quotas: readonly QuotaConfig[] | undefined,
  windowByDefault: WindowSpec | null,
): QuotaSpec[] {
  const specs: QuotaSpec[] = [];
  for (const word of LIMIT_NAMES) {
    const amount = limits?.[word];
    if (amount !== undefined && amount !== null) specs.push(quotaSpec(quotaOfWord(word, amount), windowByDefault));
  }
  for (const quota of quotas ?? []) specs.push(quotaSpec(quota, windowByDefault));
  return specs;
}

function quotaSpec(quota: QuotaConfig, windowByDefault: WindowSpec | null): QuotaSpec {
  const { dimension } = quota;
  const limit = wholeLimit(quota.limit);
  // What the validator lets stand on a concurrency quota but has no meaning there, a window, is left out.
  const {
    window: told,
    strategy,
    burst,
    resetEpochMs,
    countsAtEnd,
  }: Partial<WindowQuota> = dimension === "concurrency" ? {} : quota;
  const window = dimension === "concurrency" ? null : ownWindow((told ?? windowByDefault)!);
  const windowMs = window && rollingWindowMs(window);
  const usual = window === null ? "concurrency" : windowMs === null ? "fixed_window" : "sliding_window";
  return {
    dimension,
    index: DIMENSIONS.indexOf(dimension),
    limit,
    window,
    windowMs,
    strategy: strategy ?? usual,
    capacity: burst === undefined ? limit : wholeLimit(burst),
    resetEpochMs: resetEpochMs ?? null,
    countsAtEnd: countsAtEnd ?? false,
    key: quotaKey(dimension, window),
  };
}

type WindowQuota = Extract<QuotaConfig, { window: WindowSpec }>;

/** Equal for quotas of the same dimension and the same (length of) window. */
export function quotaKey(dimension: Dimension, window: WindowSpec | null): string {
  return `${dimension} ${windowKey(dimension === "concurrency" || window === null ? null : ownWindow(window))}`;
}

/** True if one becomes the other by a change of its limit alone, so that its usage may stay. */
export function isResizable(a: QuotaSpec, b: QuotaSpec): boolean {
  const isSame = (field: "key" | "strategy" | "resetEpochMs" | "countsAtEnd") => a[field] === b[field];
  return isSame("key") && isSame("strategy") && isSame("resetEpochMs") && isSame("countsAtEnd");
}

/** True if nothing about the limit changed. */
export function sameSpec(a: QuotaSpec, b: QuotaSpec): boolean {
  return isResizable(a, b) && a.limit === b.limit && a.capacity === b.capacity;
}

// More than a double counts exactly can never be used up either; `+ 0` turns -0 into 0.
function wholeLimit(limit: number): number {
  return Math.min(Math.floor(limit), Number.MAX_SAFE_INTEGER) + 0;
}
