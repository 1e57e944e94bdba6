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

/** Amounts that one request turned out to take. */
export interface ReportedUsage extends Usage {
  /** Part of the input tokens that was read from a prompt cache. Quotas with `cachedInput: "excluded"` do not count it. */
  cachedInputTokens?: number | undefined;
}

/** Usage as a client states it, or a result that contains it. OpenAI, Anthropic, Gemini, Mistral, Cohere, Bedrock, AI SDK. */
export interface ClientUsage {
  usage?: unknown;
  usageMetadata?: unknown;
  meta?: unknown;
  prompt_tokens?: unknown;
  completion_tokens?: unknown;
  input_tokens?: unknown;
  output_tokens?: unknown;
  total_tokens?: unknown;
  promptTokens?: unknown;
  completionTokens?: unknown;
  totalTokens?: unknown;
  promptTokenCount?: unknown;
  candidatesTokenCount?: unknown;
  totalTokenCount?: unknown;
  inputTokens?: object | undefined;
  outputTokens?: object | undefined;
  billedUnits?: unknown;
  billed_units?: unknown;
  tokens?: object | undefined;
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

/** Fields of `ReportedUsage`. */
export const REPORTED_USAGE_FIELDS: readonly (keyof ReportedUsage)[] = [...USAGE_FIELDS, "cachedInputTokens"];
