import type { Settlement } from "../api/lease.ts";
import type { Observation } from "../api/observation.ts";
import type { StatusClass } from "../api/status-class.ts";
import { USAGE_FIELDS } from "../api/usage.ts";
import type { Outcome } from "../health/health.ts";
import {
  type RawUsage,
  readUsageFields,
  USAGE_INDEX,
  type UsageVector,
  unspecifiedUsage,
} from "../quota/usage-vector.ts";
import { anything, each, name, objectOf } from "../validation/check.ts";
import { type Check, isRecord, Problems } from "../validation/problems.ts";
import type { Vocabulary } from "../validation/vocabulary.ts";
import { statusClassOfCode } from "./status-code.ts";

/** The settlement of most leases; one shared object, so that it need not be parsed. */
export const SUCCEEDED: Settlement = { status: "success" };

/** An observation in the engine's own words. */
export interface ParsedObservation extends Outcome {
  readonly amounts: UsageVector;
  /** How many amounts and times were told that mean nothing; they were left out. */
  readonly invalid: number;
}

/** Reads an observation. Throws InvalidConfig if it names no provider or no status; after a call nothing else is an error. */
export function parseObservation(observation: Observation, dialect: Vocabulary): ParsedObservation {
  const amounts = unspecifiedUsage();
  const isShaped = isWellShaped(observation);
  const status = isShaped ? statusOf(observation.outcome.status, dialect) : null;
  const usage = isShaped ? observation.usage : undefined;
  const invalid = usage === undefined ? 0 : readUsage(usage, amounts);
  // What is wrong is found out at a hundred times the cost: nearly every observation is all right.
  if (status === null || invalid > 0) {
    const problems = new Problems(dialect);
    observationCheck(observation, problems);
    problems.throwIfAny();
  }
  const { latencyMs, retryAfterMs } = observation.outcome;
  return observedOf(status!, amounts, latencyMs, retryAfterMs, invalid);
}

function observedOf<A>(
  status: StatusClass,
  amounts: A,
  latency: unknown,
  retryAfter: unknown,
  invalid: number,
): Omit<ParsedObservation, "amounts"> & { readonly amounts: A } {
  const latencyMs = readTime(latency, Number.MAX_VALUE);
  const retryAfterMs = readTime(retryAfter, Infinity);
  return {
    status,
    amounts,
    latencyMs: latencyMs ?? null,
    retryAfterMs: retryAfterMs ?? null,
    knownResetAt: null,
    invalid: invalid + Number(latencyMs === undefined) + Number(retryAfterMs === undefined),
  };
}

/**
 * The end of a lease in the engine's own words, whatever was told: a status that is none, or none beside words that are
 * none, is "cancelled"; `amounts` null: no usage was told.
 */
export function parseSettlement(
  ending: unknown,
  dialect: Vocabulary,
): Omit<ParsedObservation, "amounts"> & { readonly amounts: UsageVector | null } {
  const told: { readonly [key in keyof Observation["outcome"] | "usage"]?: unknown } = isRecord(ending) ? ending : {};
  const { usage, latencyMs, retryAfterMs } = told;
  const known = isTold(told.status) + isTold(usage) + isTold(latencyMs) + isTold(retryAfterMs);
  const isWhole = isRecord(ending) && (known > 0 || isPlain(ending)) && hasNoOther(ending, known, ENDING_KEYS);
  // Who says it in words that are none (`settle(429)`, `{ code: 429 }`) does not mean that all went well.
  const status = told.status === undefined && isWhole ? "success" : statusOf(told.status, dialect);
  const amounts = usage === undefined ? null : unspecifiedUsage();
  const invalid = (amounts === null ? 0 : readUsage(usage, amounts)) + Number(status === null || !isWhole);
  return observedOf(status ?? "cancelled", amounts, latencyMs, retryAfterMs, invalid);
}

function isPlain(value: object): boolean {
  const proto = Object.getPrototypeOf(value);
  return proto === null || Object.getPrototypeOf(proto) === null;
}

/** Whether it has the fields that are needed, and no others. */
function isWellShaped(observation: Observation): boolean {
  if (!isRecord(observation) || !isRecord(observation.outcome)) return false;
  const { provider, usage, capability, outcome } = observation;
  const { latencyMs, retryAfterMs } = outcome;
  return (
    typeof provider === "string" &&
    provider !== "" &&
    hasNoOther(observation, 2 + isTold(usage) + isTold(capability), OBSERVATION_KEYS) &&
    hasNoOther(outcome, 1 + isTold(latencyMs) + isTold(retryAfterMs), OUTCOME_KEYS)
  );
}

const OBSERVATION_KEYS: ReadonlySet<string> = new Set(["provider", "capability", "usage", "outcome"]);
const OUTCOME_KEYS: ReadonlySet<string> = new Set(["status", "latencyMs", "retryAfterMs"]);
const ENDING_KEYS: ReadonlySet<string> = new Set([...OUTCOME_KEYS, "usage"]);

function isTold(value: unknown): number {
  return value === undefined ? 0 : 1;
}

/** True if all of its keys are among the `known`, of which it tells so many. */
function hasNoOther(record: object, told: number, known: { has(key: string): boolean }): boolean {
  let keys = 0;
  // Counting costs a third of looking every key up.
  for (const _ in record) keys++;
  if (keys === told) return true;
  for (const key in record) if (!known.has(key)) return false;
  return true;
}

const statusCheck: Check = (value, problems) => {
  const { statuses } = problems.vocabulary!;
  if (statusOf(value, problems.vocabulary!) !== null) return;
  problems.add(`one of ${statuses.join(", ")}, or the HTTP status code of one`, value);
};

const usageKeys = objectOf(each(USAGE_FIELDS, anything));
// What is no object at all is a bad amount: left out and counted.
const usageCheck: Check = (value, problems) => {
  if (isRecord(value)) usageKeys(value, problems);
};

const outcomeCheck: Check = (value, problems) => {
  if (!isRecord(value) || Object.hasOwn(value, "status")) objectOf(outcomeShape, "status")(value, problems);
  else if ("headers" in value) problems.add("{ status, retryAfterMs }, with Retry-After read from the headers", value);
  else problems.at("status", statusCheck, undefined);
};

const outcomeShape = { status: statusCheck, latencyMs: anything, retryAfterMs: anything };
const observationShape = {
  provider: name,
  capability: anything,
  usage: usageCheck,
  outcome: outcomeCheck,
};
const observationCheck = objectOf(observationShape, "provider", "outcome");

/** The class that a status names in this dialect; null: none. */
function statusOf(told: unknown, dialect: Vocabulary): StatusClass | null {
  // Every dialect knows it, and nearly all are it.
  if (told === "success") return told;
  const named = typeof told === "number" ? statusClassOfCode(told) : (told as StatusClass);
  return named !== null && dialect.statuses.includes(named) ? named : null;
}

/** Fills in what was told; what is no amount, or of nothing known, counts as not told: answers how many those are. */
export function readUsage(usage: unknown, amounts: UsageVector): number {
  if (!isRecord(usage)) return 1;
  const { requests, tokens, inputTokens, outputTokens, costMicroUsd, bytes }: RawUsage = usage;
  const invalid = readUsageFields(usage, amounts);
  const told =
    isTold(requests) +
    isTold(tokens) +
    isTold(inputTokens) +
    isTold(outputTokens) +
    isTold(costMicroUsd) +
    isTold(bytes);
  if (hasNoOther(usage, told, USAGE_INDEX)) return invalid;
  return invalid + Object.keys(usage).filter((key) => !USAGE_INDEX.has(key)).length;
}

/** A time told in ms; null if none was, undefined for what is no time. */
function readTime(told: unknown, most: number): number | null | undefined {
  if (told === undefined) return null;
  return typeof told === "number" && told >= 0 && told <= most ? told + 0 : undefined;
}
