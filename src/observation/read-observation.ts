import { isRecord } from "../config/check.ts";
import type { Dialect } from "../config/dialect.ts";
import { REQUESTS } from "../config/dimension.ts";
import { Problems } from "../config/problems.ts";
import { type StatusClass, statusClassOfCode } from "../config/status-class.ts";
import { AMOUNT_FIELDS, type Amounts, NOT_TOLD, unknownAmounts, wholeAmount } from "../quota/amounts.ts";

/** An observation in the engine's own words. */
export interface Observed {
  readonly provider: string;
  readonly status: StatusClass;
  readonly amounts: Amounts;
  readonly latencyMs: number | null;
  readonly retryAfterMs: number | null;
  /** Amounts, times and keys that were told and mean nothing; they were left out. */
  readonly invalid: number;
}

const USAGE_KEYS: readonly string[] = AMOUNT_FIELDS.map(([, field]) => field);

/** Reads an observation. Throws InvalidConfig if it names no provider or no status; after a call nothing else is an error. */
export function readObservation(observation: unknown, dialect: Dialect): Observed {
  const problems = new Problems();
  const given = isRecord(observation) ? observation : {};
  if (given !== observation) problems.add("", "an observation: { provider, usage, outcome }", observation);
  const { provider, outcome } = given;
  if (typeof provider !== "string") problems.add("provider", "a provider's name", provider);
  if (!isRecord(outcome)) problems.add("outcome", "an object with a status", outcome);
  const ending = isRecord(outcome) ? outcome : {};
  const status = statusOf(ending["status"], dialect);
  if (isRecord(outcome) && status === null) {
    problems.add("outcome.status", `one of ${dialect.statuses.join(", ")}, or an HTTP status code`, ending["status"]);
  }
  problems.throwIfAny();
  const usage = readUsage(given["usage"]);
  const latencyMs = readTime(ending["latencyMs"], Number.MAX_VALUE);
  const retryAfterMs = readTime(ending["retryAfterMs"], Number.POSITIVE_INFINITY);
  return {
    provider: provider as string,
    status: status as StatusClass,
    amounts: usage.amounts,
    latencyMs: Number.isNaN(latencyMs) ? null : latencyMs,
    retryAfterMs: Number.isNaN(retryAfterMs) ? null : retryAfterMs,
    invalid: usage.invalid + Number(Number.isNaN(latencyMs)) + Number(Number.isNaN(retryAfterMs)),
  };
}

/** The class that a status names in this dialect; null: none. */
function statusOf(status: unknown, dialect: Dialect): StatusClass | null {
  const named = typeof status === "number" ? statusClassOfCode(status) : (status as StatusClass);
  return named !== null && dialect.statuses.includes(named) ? named : null;
}

/** What was told; what is no amount counts as not told, and is counted as invalid. */
function readUsage(usage: unknown): { amounts: Amounts; invalid: number } {
  const amounts = unknownAmounts();
  if (usage === undefined) return { amounts, invalid: 0 };
  if (!isRecord(usage)) return { amounts, invalid: 1 };
  let invalid = 0;
  for (const [index, field] of AMOUNT_FIELDS) {
    const amount = wholeAmount(usage[field]);
    if (Number.isNaN(amount)) invalid++;
    else amounts[index] = amount;
  }
  // A misspelt field must not count silently as nothing.
  for (const key in usage) if (usage[key] !== undefined && !USAGE_KEYS.includes(key)) invalid++;
  if (amounts[REQUESTS] === NOT_TOLD) amounts[REQUESTS] = 1;
  return { amounts, invalid };
}

/** A time told in ms; null for undefined, NaN for what is no time. */
function readTime(told: unknown, most: number): number | null {
  if (told === undefined) return null;
  return typeof told === "number" && told >= 0 && told <= most ? told : Number.NaN;
}
