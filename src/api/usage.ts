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

/** The fields of `Usage`. */
export const USAGE_FIELDS: readonly (keyof Usage)[] = [
  "requests",
  "tokens",
  "inputTokens",
  "outputTokens",
  "costMicroUsd",
  "bytes",
];
