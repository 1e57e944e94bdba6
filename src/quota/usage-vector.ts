// Amounts of one request in every dimension, completed from the amounts that are specified.
//
//   tokens = specified, else input + output as specified
//   input  = specified, else tokens - output, else tokens;  output likewise
//   cost   = specified, else ceil(1e6 x usdPerRequest x requests + input price x input + output price x output)  micro-USD
//
// Regimes: if only the total of tokens is specified, the total counts on an input quota and also on an output quota, and
// costs the higher of the two prices. No amount counts as 0 because the caller used a related field. Prices are per million
// tokens, which is micro-USD per token.

import type { Price } from "../api/provider-config.ts";
import type { ReportedUsage, Usage } from "../api/usage.ts";
import { ceilWithTolerance } from "./ceil-with-tolerance.ts";
import {
  BYTES,
  CACHED_INPUT,
  CONCURRENCY,
  COST_USD,
  INPUT_TOKENS,
  OUTPUT_TOKENS,
  REQUESTS,
  TOKENS,
} from "./dimension-index.ts";

/** Amounts of one request by index of dimension: whole numbers >= 0, or `UNSPECIFIED`. */
export type UsageVector = number[];

/** Returns a vector of zeros. */
export function emptyLoad(): UsageVector {
  return [0, 0, 0, 0, 0, 0, 0];
}

/** Adds amounts to a sum in place, or with `sign` -1 subtracts them. */
export function addTo(sum: UsageVector, amounts: UsageVector, sign: 1 | -1 = 1): void {
  for (let i = 0; i < sum.length; i++) sum[i] = sum[i]! + sign * amounts[i]!;
}

/** Amounts that one request needs, and the uncertainty of their estimates. */
export interface Demand {
  readonly amounts: UsageVector;
  /** Variance of the error of an estimated number of tokens. 0: the number is specified, or nothing was learned. */
  readonly variance: number;
  /** Highest price of a token, in micro-USD. */
  readonly costPerToken: number;
}

/** Variance of the error of the demand in one dimension. */
export function varianceOf(demand: Demand, index: number): number {
  if (demand.variance === 0 || !SIZE_DIMENSIONS.includes(index)) return 0;
  return index === COST_USD ? demand.variance * demand.costPerToken ** 2 : demand.variance;
}

/** Dimensions in which a demand depends on the size of the request, which can be learned. */
export const SIZE_DIMENSIONS: readonly number[] = [TOKENS, INPUT_TOKENS, OUTPUT_TOKENS, COST_USD];

/** Placeholder for an amount that is not specified. */
export const UNSPECIFIED = -1;

/** Returns a vector without any specified amount. */
export function unspecifiedUsage(): UsageVector {
  return Array<number>(CACHED_INPUT + 1).fill(UNSPECIFIED);
}

/** Completes the specified amounts in place by the amounts that follow from them. `price` null: adds no cost. */
export function completeUsage(amounts: UsageVector, price: Price | null): void {
  if (amounts[REQUESTS] === UNSPECIFIED) amounts[REQUESTS] = 1;
  amounts[CONCURRENCY] = 1;
  const input = amounts[INPUT_TOKENS]!;
  const output = amounts[OUTPUT_TOKENS]!;
  const total = amounts[TOKENS]!;
  const isSplit = input !== UNSPECIFIED || output !== UNSPECIFIED;
  if (total !== UNSPECIFIED) {
    if (input === UNSPECIFIED) amounts[INPUT_TOKENS] = isSplit ? Math.max(0, total - output) : total;
    if (output === UNSPECIFIED) amounts[OUTPUT_TOKENS] = isSplit ? Math.max(0, total - input) : total;
  } else if (isSplit) {
    amounts[TOKENS] = Math.min(Math.max(0, input) + Math.max(0, output), Number.MAX_SAFE_INTEGER);
  }
  if (amounts[COST_USD] === UNSPECIFIED && price !== null) amounts[COST_USD] = costOf(amounts, isSplit, price);
}

/** Usage of a request: the reported amounts, with missing ones from the `estimate`. */
export function correctedUsage(reported: UsageVector, estimate: UsageVector, price: Price | null): UsageVector {
  const amounts = reported.slice();
  const reportsTokens = hasTokens(reported);
  if (!reportsTokens) {
    amounts[TOKENS] = estimate[TOKENS]!;
    amounts[INPUT_TOKENS] = estimate[INPUT_TOKENS]!;
    amounts[OUTPUT_TOKENS] = estimate[OUTPUT_TOKENS]!;
  } else if (reported[TOKENS] === UNSPECIFIED) {
    // If only the input or only the output is reported, the other one is not 0.
    if (reported[INPUT_TOKENS] === UNSPECIFIED)
      amounts[INPUT_TOKENS] = remainderOf(estimate, INPUT_TOKENS, reported[OUTPUT_TOKENS]!);
    if (reported[OUTPUT_TOKENS] === UNSPECIFIED)
      amounts[OUTPUT_TOKENS] = remainderOf(estimate, OUTPUT_TOKENS, reported[INPUT_TOKENS]!);
  }
  if (amounts[REQUESTS] === UNSPECIFIED) amounts[REQUESTS] = estimate[REQUESTS]!;
  completeUsage(amounts, reportsTokens || reported[REQUESTS] !== UNSPECIFIED ? price : null);
  for (let i = 0; i < amounts.length; i++) if (amounts[i] === UNSPECIFIED) amounts[i] = estimate[i]!;
  return amounts;
}

/** Estimate of the input (or output) if the `other` one is reported; UNSPECIFIED if the estimate has none. */
function remainderOf(estimate: UsageVector, part: number, other: number): number {
  const total = estimate[TOKENS]!;
  const isSplit = estimate[INPUT_TOKENS]! + estimate[OUTPUT_TOKENS]! === total;
  return isSplit || estimate[part] === UNSPECIFIED ? estimate[part]! : Math.max(0, total - other);
}

/** True if the cost follows from the amounts: they have tokens, or no token has a price. */
export function isCostKnown(amounts: UsageVector, price: Price): boolean {
  const { usdPerMillionInputTokens: perInput = 0, usdPerMillionOutputTokens: perOutput = 0 } = price;
  return perInput + perOutput === 0 || hasTokens(amounts);
}

/** True if any number of tokens is specified. */
function hasTokens(amounts: UsageVector): boolean {
  return Math.max(amounts[TOKENS]!, amounts[INPUT_TOKENS]!, amounts[OUTPUT_TOKENS]!) !== UNSPECIFIED;
}

/** Cost in micro-USD of complete amounts; UNSPECIFIED if it depends on an unknown number of tokens alone. */
function costOf(amounts: UsageVector, isSplit: boolean, price: Price): number {
  const tokens = amounts[TOKENS]!;
  const { usdPerRequest = 0, usdPerMillionInputTokens: perInput = 0, usdPerMillionOutputTokens: perOutput = 0 } = price;
  // Capped, because Infinity times 0 requests is NaN.
  let cost = Math.min(1e6 * usdPerRequest, Number.MAX_SAFE_INTEGER) * amounts[REQUESTS]!;
  if (isSplit) {
    cost += Math.max(0, amounts[INPUT_TOKENS]!) * perInput + Math.max(0, amounts[OUTPUT_TOKENS]!) * perOutput;
  } else {
    if (tokens === UNSPECIFIED && perInput + perOutput > 0 && cost === 0) return UNSPECIFIED;
    cost += Math.max(0, tokens) * Math.max(perInput, perOutput);
  }
  return Math.min(ceilWithTolerance(cost, 8), Number.MAX_SAFE_INTEGER);
}

/** Demand in one dimension: the amount of the vector, which can be 0. Unspecified: 1. */
export function demandFor(amounts: UsageVector, index: number): number {
  const amount = amounts[index]!;
  return amount === UNSPECIFIED ? 1 : amount;
}

/** Part of `amount` that counts on a quota with that specification: tokens from a prompt cache might not. */
export function countedAmount(amount: number, amounts: UsageVector, isUncached: boolean): number {
  return isUncached ? Math.max(Math.min(0, amount), amount - Math.max(0, amounts[CACHED_INPUT] ?? 0)) : amount;
}

/** Writes the valid amounts of a `ReportedUsage` into `amounts`. Returns the number of invalid amounts. */
export function readUsageFields(
  usage: { readonly [field in keyof ReportedUsage]?: unknown },
  amounts: UsageVector,
): number {
  const { requests, tokens, inputTokens, outputTokens, costMicroUsd, bytes, cachedInputTokens } = usage;
  let invalid = 0;
  if (requests !== undefined) invalid += writeAmount(requests, REQUESTS, amounts);
  if (tokens !== undefined) invalid += writeAmount(tokens, TOKENS, amounts);
  if (inputTokens !== undefined) invalid += writeAmount(inputTokens, INPUT_TOKENS, amounts);
  if (outputTokens !== undefined) invalid += writeAmount(outputTokens, OUTPUT_TOKENS, amounts);
  if (costMicroUsd !== undefined) invalid += writeAmount(costMicroUsd, COST_USD, amounts);
  if (bytes !== undefined) invalid += writeAmount(bytes, BYTES, amounts);
  if (cachedInputTokens !== undefined) invalid += writeAmount(cachedInputTokens, CACHED_INPUT, amounts);
  return invalid;
}

/** Writes an amount, rounded up to a whole number. Returns 1 if it is invalid, else 0. */
function writeAmount(value: unknown, index: number, amounts: UsageVector): number {
  if (typeof value !== "number" || !(value >= 0) || value > Number.MAX_SAFE_INTEGER) return 1;
  amounts[index] = Math.ceil(value) + 0;
  return 0;
}

/** Fields of `ReportedUsage`, each with its index. */
export const USAGE_INDEX: ReadonlyMap<string, number> = new Map([
  ["requests", REQUESTS],
  ["tokens", TOKENS],
  ["inputTokens", INPUT_TOKENS],
  ["outputTokens", OUTPUT_TOKENS],
  ["costMicroUsd", COST_USD],
  ["bytes", BYTES],
  ["cachedInputTokens", CACHED_INPUT],
]);

/** Returns the specified amounts as the public `Usage`. */
export function usageOf(amounts: UsageVector): Usage {
  const usage: Usage = {};
  for (const [field, index] of USAGE_INDEX) {
    if (amounts[index] !== UNSPECIFIED) usage[field as keyof Usage] = amounts[index];
  }
  return usage;
}
