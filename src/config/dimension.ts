/** What a quota counts; the bare strings are accepted everywhere. `cost_usd` amounts are whole micro-USD. */
export const Dimension = {
  Requests: "requests",
  Tokens: "tokens",
  InputTokens: "input_tokens",
  OutputTokens: "output_tokens",
  Concurrency: "concurrency",
  CostUsd: "cost_usd",
  Bytes: "bytes",
} as const;
/** One of the seven dimensions, as its snake_case string. */
export type Dimension = (typeof Dimension)[keyof typeof Dimension];

/** Every dimension; its place in this list is its index in the arrays of amounts. */
export const DIMENSIONS: readonly Dimension[] = [
  "requests",
  "tokens",
  "input_tokens",
  "output_tokens",
  "concurrency",
  "cost_usd",
  "bytes",
];

/** The indices of `DIMENSIONS`, for code that reads one amount of a request. */
export const REQUESTS = 0;
export const TOKENS = 1;
export const INPUT_TOKENS = 2;
export const OUTPUT_TOKENS = 3;
export const CONCURRENCY = 4;
export const COST_USD = 5;
export const BYTES = 6;
