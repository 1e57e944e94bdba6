import { BYTES, COST_USD, INPUT_TOKENS, OUTPUT_TOKENS, REQUESTS, TOKENS } from "./dimension.ts";

/** Amounts: undefined is not given, fractions round up; NaN or negative: InvalidConfig before a call, ignored and counted (`invalidUsages`) after it. */
export interface Usage {
  /** Default 1. */
  requests?: number | undefined;
  /** Default: input + output, if given. */
  tokens?: number | undefined;
  inputTokens?: number | undefined;
  outputTokens?: number | undefined;
  bytes?: number | undefined;
  costMicroUsd?: number | undefined;
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

/** Every field. */
export const USAGE_FIELDS: readonly (keyof Usage)[] = [...USAGE_INDEX.keys()] as (keyof Usage)[];
