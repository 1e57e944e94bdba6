/** Dimensions that a quota can limit. The plain strings are accepted everywhere. Amounts of `cost_usd` are whole micro-USD. */
export const Dimension = {
  Requests: "requests",
  Tokens: "tokens",
  InputTokens: "input_tokens",
  OutputTokens: "output_tokens",
  Concurrency: "concurrency",
  CostUsd: "cost_usd",
  Bytes: "bytes",
} as const;
/** Dimension of a quota, as a string. */
export type Dimension = (typeof Dimension)[keyof typeof Dimension];

/** All dimensions, in the order of their indices in a usage vector. */
export const DIMENSIONS: readonly Dimension[] = Object.values(Dimension);
