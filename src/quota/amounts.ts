// What one request takes from each dimension, from what was told about it.
//
//   tokens = told, else input + output as told;  input (output) = told, else tokens - the other, else tokens
//   cost   = told, else ceil(1e6 x usdPerRequest x requests + input price x input + output price x output)  micro-USD
//
// Regimes: tokens not told apart count whole on an input and on an output quota, and cost the dearer of the two prices:
// nothing counts as 0 because the caller used a neighbouring field. Prices are per million tokens, which is micro-USD
// per token.
import { BYTES, CONCURRENCY, COST_USD, INPUT_TOKENS, OUTPUT_TOKENS, REQUESTS, TOKENS } from "../config/dimension.ts";
import type { Price } from "../config/options.ts";
import type { Usage } from "../config/usage.ts";
import { wholeUp } from "./whole-up.ts";

/** Amounts of one request by index of dimension, whole numbers >= 0; `NOT_TOLD` where nothing was said. */
export type Amounts = number[];

/** What one request takes. */
export interface Needs {
  readonly amounts: Amounts;
  /** Of the error of a learned number of tokens; 0: it was stated. */
  readonly variance: number;
  /** What it costs at most, in micro-USD. */
  readonly costPerToken: number;
}

/** Variance of the error of what the request takes of a dimension. */
export function varianceOf(needs: Needs, index: number): number {
  if (needs.variance === 0 || !SIZED.includes(index)) return 0;
  return index === COST_USD ? needs.variance * needs.costPerToken ** 2 : needs.variance;
}

/** The dimensions whose amounts depend on a request's size, which can be learned. */
export const SIZED: readonly number[] = [TOKENS, INPUT_TOKENS, OUTPUT_TOKENS, COST_USD];

/** In place of an amount: the caller did not say. */
export const NOT_TOLD = -1;

/** Amounts of which nothing is known. */
export function unknownAmounts(): Amounts {
  return [NOT_TOLD, NOT_TOLD, NOT_TOLD, NOT_TOLD, NOT_TOLD, NOT_TOLD, NOT_TOLD];
}

/** Completes what was told, in place, by what follows from it; `price` null: the cost is not derived. */
export function completeAmounts(amounts: Amounts, price: Price | null): void {
  if (amounts[REQUESTS] === NOT_TOLD) amounts[REQUESTS] = 1;
  amounts[CONCURRENCY] = 1;
  const input = amounts[INPUT_TOKENS]!;
  const output = amounts[OUTPUT_TOKENS]!;
  const told = amounts[TOKENS]!;
  const isSplit = input !== NOT_TOLD || output !== NOT_TOLD;
  if (told !== NOT_TOLD) {
    if (input === NOT_TOLD) amounts[INPUT_TOKENS] = isSplit ? Math.max(0, told - output) : told;
    if (output === NOT_TOLD) amounts[OUTPUT_TOKENS] = isSplit ? Math.max(0, told - input) : told;
  } else if (isSplit) {
    amounts[TOKENS] = Math.min(Math.max(0, input) + Math.max(0, output), Number.MAX_SAFE_INTEGER);
  }
  if (amounts[COST_USD] === NOT_TOLD && price !== null) amounts[COST_USD] = costOf(amounts, isSplit, price);
}

/** What a request has used, by what it told and, for the rest, by what it was taken for. */
export function correctedAmounts(told: Amounts, estimate: Amounts, price: Price | null): Amounts {
  const amounts = [...told];
  const isToldOfTokens = saysTokens(told);
  if (!isToldOfTokens) for (const index of [TOKENS, INPUT_TOKENS, OUTPUT_TOKENS]) amounts[index] = estimate[index]!;
  else if (told[TOKENS] === NOT_TOLD) {
    // Of what was told in part, the other part is not 0.
    if (told[INPUT_TOKENS] === NOT_TOLD) amounts[INPUT_TOKENS] = restOf(estimate, INPUT_TOKENS, told[OUTPUT_TOKENS]!);
    if (told[OUTPUT_TOKENS] === NOT_TOLD) amounts[OUTPUT_TOKENS] = restOf(estimate, OUTPUT_TOKENS, told[INPUT_TOKENS]!);
  }
  if (amounts[REQUESTS] === NOT_TOLD) amounts[REQUESTS] = estimate[REQUESTS]!;
  completeAmounts(amounts, isToldOfTokens || told[REQUESTS] !== NOT_TOLD ? price : null);
  return amounts.map((amount, index) => (amount === NOT_TOLD ? estimate[index]! : amount));
}

/** What a part of an estimate is, once the other is known; NOT_TOLD where nothing was known of it. */
function restOf(estimate: Amounts, part: number, other: number): number {
  const total = estimate[TOKENS]!;
  const isApart = estimate[INPUT_TOKENS]! + estimate[OUTPUT_TOKENS]! === total;
  return isApart || estimate[part] === NOT_TOLD ? estimate[part]! : Math.max(0, total - other);
}

/** True if the tokens that a price per token asks for are known, before `completeAmounts` or after it. */
export function isCostKnown(amounts: Amounts, price: Price): boolean {
  const { usdPerMillionInputTokens: perInput = 0, usdPerMillionOutputTokens: perOutput = 0 } = price;
  return perInput + perOutput === 0 || saysTokens(amounts);
}

function saysTokens(amounts: Amounts): boolean {
  return Math.max(amounts[TOKENS]!, amounts[INPUT_TOKENS]!, amounts[OUTPUT_TOKENS]!) !== NOT_TOLD;
}

/** Micro-USD, of amounts that are complete; NOT_TOLD where it depends on tokens of which nothing is known. */
function costOf(amounts: Amounts, isSplit: boolean, price: Price): number {
  const tokens = amounts[TOKENS]!;
  const { usdPerRequest = 0, usdPerMillionInputTokens: perInput = 0, usdPerMillionOutputTokens: perOutput = 0 } = price;
  // Infinity times 0 is no amount.
  let cost = Math.min(1e6 * usdPerRequest, Number.MAX_SAFE_INTEGER) * amounts[REQUESTS]!;
  if (isSplit) {
    cost += Math.max(0, amounts[INPUT_TOKENS]!) * perInput + Math.max(0, amounts[OUTPUT_TOKENS]!) * perOutput;
  } else {
    if (tokens === NOT_TOLD && perInput + perOutput > 0 && cost === 0) return NOT_TOLD;
    cost += Math.max(0, tokens) * Math.max(perInput, perOutput);
  }
  return Math.min(wholeUp(cost, 8), Number.MAX_SAFE_INTEGER);
}

/** What a request needs of a dimension: what was told, 0 included; 1 where nothing is known. */
export function needOf(needs: Amounts, index: number): number {
  const need = needs[index]!;
  return need === NOT_TOLD ? 1 : need;
}

/** What a caller told of the amounts, right or wrong. */
export type ToldUsage = { readonly [field in keyof Usage]?: unknown };

/** Fills in what was told; what is no amount counts as not told: answers how many those are. */
export function readAmounts(told: ToldUsage, amounts: Amounts): number {
  return (
    readAmount(told.requests, REQUESTS, amounts) +
    readAmount(told.tokens, TOKENS, amounts) +
    readAmount(told.inputTokens, INPUT_TOKENS, amounts) +
    readAmount(told.outputTokens, OUTPUT_TOKENS, amounts) +
    readAmount(told.costMicroUsd, COST_USD, amounts) +
    readAmount(told.bytes, BYTES, amounts)
  );
}

function readAmount(told: unknown, index: number, amounts: Amounts): number {
  if (told === undefined) return 0;
  const amount = wholeAmount(told);
  if (Number.isNaN(amount)) return 1;
  amounts[index] = amount;
  return 0;
}

/** A told amount made whole: fractions round up; NOT_TOLD for undefined; NaN for what is no amount. */
export function wholeAmount(told: unknown): number {
  if (told === undefined) return NOT_TOLD;
  if (typeof told !== "number" || !(told >= 0) || told > Number.MAX_SAFE_INTEGER) return NaN;
  return Math.ceil(told) + 0;
}
