// Limits of a provider that declares none: `limits: "headers"`.
//
//   unknown --a response reports limits--> known      one quota for each dimension and window
//           --a success reports none-----> known      no quota: unlimited
//
// Regimes: while the limits are unknown, one request at a time is sent. A failure, an abort or a refusal without reports proves
// nothing, so they stay unknown. A report of a larger limit raises the quota; a smaller one lowers the limit in force, as for all
// reported limits. A report without a window belongs to the named window
//   full     that is nearest to  reset x limit / (limit - remaining),  if that is within a factor of two
//   window   that is the shortest one not shorter than the reset. A longer reset replaces it later: until then the shorter window
//            ends when the real one does
// and is left out if neither can be told: a guess could shut the provider out, or break its limit.

import { DIMENSIONS, type Dimension } from "../api/dimension.ts";
import type { StatusClass } from "../api/status-class.ts";
import { Window, type WindowSpec } from "../api/window.ts";
import type { DialectTerms } from "../quota/dialect-terms.ts";
import { type QuotaSpec, quotaSpecs } from "../quota/quota-spec.ts";
import { WINDOW_MS } from "../quota/window.ts";
import { isRecord } from "../validation/problems.ts";
import { query, validate } from "../validation/schemas.ts";
import type { Vocabulary } from "../validation/vocabulary.ts";

/** No provider has more limits. */
const MOST = 16;
const NAMED: readonly Window[] = Object.values(Window);
/** Share by which a reset can exceed its window, because of rounding. */
const LATE = 1.05;
/** A reset that is rounded to more than this share of itself shows no window. */
const COARSE = 0.25;

/** What the responses of one provider have shown of its limits. */
export class LimitDiscovery {
  /** True once a response has shown the limits, or that it shows none. */
  isKnown = false;
  readonly #terms: DialectTerms;
  readonly #waiting: readonly QuotaSpec[];
  #found: QuotaSpec[] = [];
  /** Specs of windows that were derived from a reset. */
  readonly #derived = new Set<QuotaSpec>();
  /** All specs that it ever made. */
  readonly #made = new Set<QuotaSpec>();

  constructor(terms: DialectTerms) {
    this.#terms = terms;
    this.#waiting = quotaSpecs({ concurrency: 1 }, undefined, null);
    this.#made.add(this.#waiting[0]!);
  }

  /** Specs of the quotas of the provider now. */
  get specs(): readonly QuotaSpec[] {
    return this.isKnown ? this.#found : this.#waiting;
  }

  /** True if the spec is one of its own, and not one of the configuration. */
  hasMade(spec: QuotaSpec): boolean {
    return this.#made.has(spec);
  }

  /** Reads the reports of a response; true if the specs have changed. `status`: null while the request goes on. */
  learn(reported: unknown, status: StatusClass | null, vocabulary: Vocabulary): boolean {
    let isChanged = false;
    for (const fields of Array.isArray(reported) ? reported.slice(0, MOST) : []) {
      if (isRecord(fields) && this.#learn(fields, vocabulary)) isChanged = true;
    }
    if (this.isKnown || (!isChanged && status !== "success")) return isChanged;
    this.isKnown = true;
    return true;
  }

  #learn(fields: { readonly [key: string]: unknown }, vocabulary: Vocabulary): boolean {
    const { dimension, limit } = fields;
    const isCounted = (DIMENSIONS as readonly unknown[]).includes(dimension) && dimension !== "cost_usd";
    if (!isCounted || typeof limit !== "number" || !(limit >= 1) || limit > Number.MAX_SAFE_INTEGER) return false;
    const isDerived = fields["window"] === undefined && dimension !== "concurrency";
    const window = isDerived ? derivedWindow(fields, limit) : validWindow(fields, vocabulary);
    if (window === undefined && dimension !== "concurrency") return false;
    const quota = { dimension: dimension as "requests", limit, window: window! };
    const [spec] = quotaSpecs(undefined, [quota], null, this.#terms);
    const previous = this.#found.find((known) => {
      if (known.key === spec!.key) return true;
      // A limit whose window turns out to be longer.
      return isDerived && this.#derived.has(known) && known.dimension === dimension && known.limit === spec!.limit;
    });
    if (previous !== undefined) {
      const isLonger = previous.key !== spec!.key && spec!.windowMs! > previous.windowMs!;
      if (!isLonger && (previous.key !== spec!.key || previous.limit >= spec!.limit)) return false;
      this.#found = this.#found.filter((known) => known !== previous);
    } else if (this.#found.length >= MOST) return false;
    if (isDerived) this.#derived.add(spec!);
    this.#made.add(spec!);
    this.#found.push(spec!);
    return true;
  }
}

function validWindow(fields: { readonly [key: string]: unknown }, vocabulary: Vocabulary): WindowSpec | undefined {
  const { dimension, window } = fields;
  try {
    validate(query, { dimension: dimension as Dimension, window }, vocabulary);
    return window as WindowSpec;
  } catch {
    return undefined;
  }
}

/** Named window that the reset shows; undefined: none. */
function derivedWindow(fields: { readonly [key: string]: unknown }, limit: number): Window | undefined {
  const { remaining, resetMs, resetKind, resolutionMs = 0 } = fields;
  if (typeof resetMs !== "number" || !(resetMs > 0) || typeof resolutionMs !== "number") return undefined;
  if (resetKind === "window") return NAMED.find((name) => resetMs <= LATE * WINDOW_MS[name]);
  const isFull = resetKind === "full" && typeof remaining === "number" && remaining < limit;
  if (!isFull || resolutionMs > COARSE * resetMs) return undefined;
  const windowMs = (resetMs * limit) / (limit - remaining);
  return NAMED.find((name) => windowMs > WINDOW_MS[name] / 2 && windowMs < WINDOW_MS[name] * 2);
}
