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

/** Every dimension, in the order of their indices in a usage vector. */
export const DIMENSIONS: readonly Dimension[] = Object.values(Dimension);
