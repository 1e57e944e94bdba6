// What one request takes from each dimension, from what was told about it.
//
//   tokens = told, else input + output as told;  input (output) = told, else tokens - the other, else tokens
//   cost   = told, else ceil(1e6 x usdPerRequest x requests + input price x input + output price x output)  micro-USD
//
// Regimes: tokens not told apart count whole on an input and on an output quota, and cost the dearer of the two prices:
// nothing counts as 0 because the caller used a neighbouring field. Prices are per million tokens, which is micro-USD
// per token.

import type { Price } from "../api/provider-config.ts";
import type { Usage } from "../api/usage.ts";
import { ceilWithTolerance } from "./ceil-with-tolerance.ts";
import { BYTES, CONCURRENCY, COST_USD, INPUT_TOKENS, OUTPUT_TOKENS, REQUESTS, TOKENS } from "./dimension-index.ts";

/** Amounts of one request by index of dimension, whole numbers >= 0; `NOT_TOLD` where nothing was said. */
export type UsageVector = number[];

/** What one request takes. */
export interface Demand {
  readonly amounts: UsageVector;
  /** Of the error of a learned number of tokens; 0: it was stated. */
  readonly variance: number;
  /** What it costs at most, in micro-USD. */
  readonly costPerToken: number;
}

/** Variance of the error of what the request takes of a dimension. */
export function varianceOf(needs: Demand, index: number): number {
  if (needs.variance === 0 || !SIZE_DIMENSIONS.includes(index)) return 0;
  return index === COST_USD ? needs.variance * needs.costPerToken ** 2 : needs.variance;
}

/** The dimensions whose amounts depend on a request's size, which can be learned. */
export const SIZE_DIMENSIONS: readonly number[] = [TOKENS, INPUT_TOKENS, OUTPUT_TOKENS, COST_USD];

/** In place of an amount: the caller did not say. */
export const UNSPECIFIED = -1;

/** Amounts of which nothing is known. */
export function unspecifiedUsage(): UsageVector {
  return [UNSPECIFIED, UNSPECIFIED, UNSPECIFIED, UNSPECIFIED, UNSPECIFIED, UNSPECIFIED, UNSPECIFIED];
}

/** Completes what was told, in place, by what follows from it; `price` null: the cost is not derived. */
export function completeUsage(amounts: UsageVector, price: Price | null): void {
  if (amounts[REQUESTS] === UNSPECIFIED) amounts[REQUESTS] = 1;
  amounts[CONCURRENCY] = 1;
  const input = amounts[INPUT_TOKENS]!;
  const output = amounts[OUTPUT_TOKENS]!;
  const told = amounts[TOKENS]!;
  const isSplit = input !== UNSPECIFIED || output !== UNSPECIFIED;
  if (told !== UNSPECIFIED) {
    if (input === UNSPECIFIED) amounts[INPUT_TOKENS] = isSplit ? Math.max(0, told - output) : told;
    if (output === UNSPECIFIED) amounts[OUTPUT_TOKENS] = isSplit ? Math.max(0, told - input) : told;
  } else if (isSplit) {
    amounts[TOKENS] = Math.min(Math.max(0, input) + Math.max(0, output), Number.MAX_SAFE_INTEGER);
  }
  if (amounts[COST_USD] === UNSPECIFIED && price !== null) amounts[COST_USD] = costOf(amounts, isSplit, price);
}

/** What a request has used, by what it told and, for the rest, by what it was taken for. */
export function correctedUsage(told: UsageVector, estimate: UsageVector, price: Price | null): UsageVector {
  const amounts = [...told];
  const isToldOfTokens = saysTokens(told);
  if (!isToldOfTokens) for (const index of [TOKENS, INPUT_TOKENS, OUTPUT_TOKENS]) amounts[index] = estimate[index]!;
  else if (told[TOKENS] === UNSPECIFIED) {
    // Of what was told in part, the other part is not 0.
    if (told[INPUT_TOKENS] === UNSPECIFIED)
      amounts[INPUT_TOKENS] = restOf(estimate, INPUT_TOKENS, told[OUTPUT_TOKENS]!);
    if (told[OUTPUT_TOKENS] === UNSPECIFIED)
      amounts[OUTPUT_TOKENS] = restOf(estimate, OUTPUT_TOKENS, told[INPUT_TOKENS]!);
  }
  if (amounts[REQUESTS] === UNSPECIFIED) amounts[REQUESTS] = estimate[REQUESTS]!;
  completeUsage(amounts, isToldOfTokens || told[REQUESTS] !== UNSPECIFIED ? price : null);
  return amounts.map((amount, index) => (amount === UNSPECIFIED ? estimate[index]! : amount));
}

/** What a part of an estimate is, once the other is known; NOT_TOLD where nothing was known of it. */
function restOf(estimate: UsageVector, part: number, other: number): number {
  const total = estimate[TOKENS]!;
  const isApart = estimate[INPUT_TOKENS]! + estimate[OUTPUT_TOKENS]! === total;
  return isApart || estimate[part] === UNSPECIFIED ? estimate[part]! : Math.max(0, total - other);
}

/** True if the tokens that a price per token asks for are known, before `completeAmounts` or after it. */
export function isCostKnown(amounts: UsageVector, price: Price): boolean {
  const { usdPerMillionInputTokens: perInput = 0, usdPerMillionOutputTokens: perOutput = 0 } = price;
  return perInput + perOutput === 0 || saysTokens(amounts);
}

function saysTokens(amounts: UsageVector): boolean {
  return Math.max(amounts[TOKENS]!, amounts[INPUT_TOKENS]!, amounts[OUTPUT_TOKENS]!) !== UNSPECIFIED;
}

/** Micro-USD, of amounts that are complete; NOT_TOLD where it depends on tokens of which nothing is known. */
function costOf(amounts: UsageVector, isSplit: boolean, price: Price): number {
  const tokens = amounts[TOKENS]!;
  const { usdPerRequest = 0, usdPerMillionInputTokens: perInput = 0, usdPerMillionOutputTokens: perOutput = 0 } = price;
  // Infinity times 0 is no amount.
  let cost = Math.min(1e6 * usdPerRequest, Number.MAX_SAFE_INTEGER) * amounts[REQUESTS]!;
  if (isSplit) {
    cost += Math.max(0, amounts[INPUT_TOKENS]!) * perInput + Math.max(0, amounts[OUTPUT_TOKENS]!) * perOutput;
  } else {
    if (tokens === UNSPECIFIED && perInput + perOutput > 0 && cost === 0) return UNSPECIFIED;
    cost += Math.max(0, tokens) * Math.max(perInput, perOutput);
  }
  return Math.min(ceilWithTolerance(cost, 8), Number.MAX_SAFE_INTEGER);
}

/** What a request needs of a dimension: what was told, 0 included; 1 where nothing is known. */
export function demandFor(needs: UsageVector, index: number): number {
  const need = needs[index]!;
  return need === UNSPECIFIED ? 1 : need;
}

/** Writes the valid amounts of a `Usage` into `amounts`; returns the number of invalid amounts. */
export function readUsageFields(usage: { readonly [field in keyof Usage]?: unknown }, amounts: UsageVector): number {
  const { requests, tokens, inputTokens, outputTokens, costMicroUsd, bytes } = usage;
  let invalid = 0;
  if (requests !== undefined) invalid += writeAmount(requests, REQUESTS, amounts);
  if (tokens !== undefined) invalid += writeAmount(tokens, TOKENS, amounts);
  if (inputTokens !== undefined) invalid += writeAmount(inputTokens, INPUT_TOKENS, amounts);
  if (outputTokens !== undefined) invalid += writeAmount(outputTokens, OUTPUT_TOKENS, amounts);
  if (costMicroUsd !== undefined) invalid += writeAmount(costMicroUsd, COST_USD, amounts);
  if (bytes !== undefined) invalid += writeAmount(bytes, BYTES, amounts);
  return invalid;
}

/** Writes an amount, fractions rounded up; returns 1 if it is invalid, else 0. */
function writeAmount(value: unknown, index: number, amounts: UsageVector): number {
  if (typeof value !== "number" || !(value >= 0) || value > Number.MAX_SAFE_INTEGER) return 1;
  amounts[index] = Math.ceil(value) + 0;
  return 0;
}

/** The fields of `Usage`, each with the index of the dimension that it is an amount of. */
export const USAGE_INDEX: ReadonlyMap<string, number> = new Map([
  ["requests", REQUESTS],
  ["tokens", TOKENS],
  ["inputTokens", INPUT_TOKENS],
  ["outputTokens", OUTPUT_TOKENS],
  ["costMicroUsd", COST_USD],
  ["bytes", BYTES],
]);

/** The amounts that are specified, as the public `Usage`. */
export function usageOf(amounts: UsageVector): Usage {
  const usage: Usage = {};
  for (const [field, index] of USAGE_INDEX) {
    if (amounts[index] !== UNSPECIFIED) usage[field as keyof Usage] = amounts[index];
  }
  return usage;
}
