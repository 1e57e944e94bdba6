/**
 * Amounts of one request. undefined: not given. Fractions are rounded up. NaN and negative amounts throw InvalidConfig before
 * a request; after it they are ignored and counted in `metrics.invalidUsages`.
 */
export interface Usage {
  /** Default 1. */
  requests?: number | undefined;
  /** Default: the sum of input and output tokens, if given. */
  tokens?: number | undefined;
  inputTokens?: number | undefined;
  outputTokens?: number | undefined;
  bytes?: number | undefined;
  costMicroUsd?: number | undefined;
}

/** Fields of `Usage`. */
export const USAGE_FIELDS: readonly (keyof Usage)[] = [
  "requests",
  "tokens",
  "inputTokens",
  "outputTokens",
  "costMicroUsd",
  "bytes",
];
