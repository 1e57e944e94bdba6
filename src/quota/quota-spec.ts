import { DIMENSIONS, type Dimension } from "../api/dimension.ts";
import { LIMIT_NAMES, type Limits, type QuotaConfig } from "../api/provider-config.ts";
import type { WindowSpec } from "../api/window.ts";
import { type DialectTerms, PLAIN_TERMS } from "./dialect-terms.ts";
import { quotaOfWord } from "./limit-words.ts";
import { ownWindow, rollingWindowMs, windowKey } from "./window.ts";

/** Way in which a quota is counted. */
export type Strategy = "sliding_window" | "token_bucket" | "fixed_window" | "concurrency";

/** One valid limit with all fields present and whole numbers. It shares no object with the caller's configuration. */
export interface QuotaSpec {
  readonly dimension: Dimension;
  /** Index of the dimension in a usage vector. */
  readonly index: number;
  readonly limit: number;
  /** Declared window; null for concurrency. */
  readonly window: WindowSpec | null;
  /** Length of a rolling window in ms; null for concurrency and calendar periods. */
  readonly windowMs: number | null;
  readonly strategy: Strategy;
  /** Largest amount that can be in use simultaneously: `burst` of a token bucket, else `limit`. */
  readonly capacity: number;
  /** A known reset instant of a fixed window, in Unix ms; null: none. */
  readonly resetEpochMs: number | null;
  readonly countsAtEnd: boolean;
  /** True if it does not count input tokens that were read from a prompt cache. */
  readonly isUncached: boolean;
  /** Key that is equal for quotas of the same dimension and window. */
  readonly key: string;
}

/** Returns the quotas that `limits` and `quotas` declare together, `limits` first. Both must be valid. `terms`: of the vendor. */
export function quotaSpecs(
  limits: { readonly [K in keyof Limits]?: number | null | undefined } | undefined,
  quotas: readonly QuotaConfig[] | undefined,
  windowByDefault: WindowSpec | null,
  terms: DialectTerms = PLAIN_TERMS,
): QuotaSpec[] {
  const specs: QuotaSpec[] = [];
  for (const word of LIMIT_NAMES) {
    const amount = limits?.[word];
    if (amount !== undefined && amount !== null)
      specs.push(quotaSpec(quotaOfWord(word, amount), windowByDefault, terms));
  }
  for (const quota of quotas ?? []) specs.push(quotaSpec(quota, windowByDefault, terms));
  return specs;
}

function quotaSpec(quota: QuotaConfig, windowByDefault: WindowSpec | null, terms: DialectTerms): QuotaSpec {
  const { dimension } = quota;
  const limit = wholeLimit(quota.limit);
  // The validator accepts a window on a concurrency quota, but it has no meaning there.
  const {
    window: declaredWindow,
    strategy,
    burst,
    resetEpochMs,
    countsAtEnd,
    cachedInput,
  }: Partial<WindowQuota> = dimension === "concurrency" ? {} : quota;
  const window = dimension === "concurrency" ? null : ownWindow((declaredWindow ?? windowByDefault)!);
  const windowMs = window && rollingWindowMs(window);
  const defaultStrategy = window === null ? "concurrency" : windowMs === null ? "fixed_window" : "sliding_window";
  return {
    dimension,
    index: DIMENSIONS.indexOf(dimension),
    limit,
    window,
    windowMs,
    strategy: strategy ?? defaultStrategy,
    capacity: burst === undefined ? limit : wholeLimit(burst),
    resetEpochMs: resetEpochMs ?? null,
    countsAtEnd: countsAtEnd ?? terms.atEnd.includes(dimension),
    isUncached: cachedInput === undefined ? terms.uncached.includes(dimension) : cachedInput === "excluded",
    key: quotaKey(dimension, window),
  };
}

type WindowQuota = Extract<QuotaConfig, { window: WindowSpec }>;

/** Key that is equal for quotas of the same dimension and the same window (or window length). */
export function quotaKey(dimension: Dimension, window: WindowSpec | null): string {
  return `${dimension} ${windowKey(dimension === "concurrency" || window === null ? null : ownWindow(window))}`;
}

/** True if the two differ in their limit at most, so that a quota can be resized and keep its usage. */
export function isResizable(a: QuotaSpec, b: QuotaSpec): boolean {
  const fields = ["key", "strategy", "resetEpochMs", "countsAtEnd", "isUncached"] as const;
  return fields.every((field) => a[field] === b[field]);
}

/** Text that is equal for quotas that differ in their limit at most. */
export function kindOf({ key, strategy, resetEpochMs, countsAtEnd, isUncached }: QuotaSpec): string {
  return JSON.stringify([key, strategy, resetEpochMs, countsAtEnd, isUncached]);
}

/** True if the two declare the same quota. */
export function sameSpec(a: QuotaSpec, b: QuotaSpec): boolean {
  return isResizable(a, b) && a.limit === b.limit && a.capacity === b.capacity;
}

// A limit beyond the largest exact integer can never be reached, so it is capped there. `+ 0` turns -0 into 0.
function wholeLimit(limit: number): number {
  return Math.min(Math.floor(limit), Number.MAX_SAFE_INTEGER) + 0;
}
