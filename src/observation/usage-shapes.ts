// Usage as the clients of providers state it.
//
//   input  = input tokens, plus the cache reads and writes that Anthropic and Bedrock state apart
//   output = output tokens, plus the thoughts that Gemini states apart
//   cached = input tokens that were read from a prompt cache
//   tokens = the stated total, if input or output is missing
//
// Regimes: the first name that has a number counts. An object without any of the names is no usage of a client.
// Sources: OpenAI (chat, responses), Anthropic, Gemini, AI SDK, Mistral, Cohere, Bedrock.

import type { ReportedUsage } from "../api/usage.ts";
import { safeGet } from "./safe-get.ts";

const INPUT = ["input_tokens", "prompt_tokens", "promptTokens", "promptTokenCount", "inputTokens"];
const OUTPUT = ["output_tokens", "completion_tokens", "completionTokens", "candidatesTokenCount", "outputTokens"];
const TOTAL = ["total_tokens", "totalTokens", "totalTokenCount", "tokens"];
const APART = [
  ...["cache_creation_input_tokens", "cache_read_input_tokens", "cacheReadInputTokens", "cacheWriteInputTokens"],
];
const CACHED = [
  ...["cache_read_input_tokens", "cacheReadInputTokens", "cachedContentTokenCount", "prompt_cache_hit_tokens"],
  ...["cachedInputTokens", "cached_tokens", "cacheReadTokens", "cacheRead", "cache_read"],
];
/** Places of the cached tokens, beside the usage itself. */
const INPUT_DETAILS = [
  ...[
    "prompt_tokens_details",
    "input_tokens_details",
    "inputTokenDetails",
    "input_token_details",
    "promptTokensDetails",
  ],
  "inputTokens",
];
/** Places of the usage in a result. */
const PLACES = ["usage", "usageMetadata", "usage_metadata", "meta"];
/** Parts of the usage of Cohere: the billed amounts, then all. */
const PARTS = ["billedUnits", "billed_units", "tokens"];
/** Names that only clients use, so that a misspelt field of `Usage` is still an error. */
const FOREIGN = [...INPUT.slice(0, -1), ...OUTPUT.slice(0, -1), ...TOTAL.slice(0, -1), ...APART];

/** Usage in the shape of a client, or in its result; undefined: it has no usage. Never throws. */
export function clientUsage(value: unknown): ReportedUsage | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const hasTotals = [...INPUT, ...OUTPUT].some((name) => typeof safeGet(safeGet(value, name), "total") === "number");
  if (hasTotals || FOREIGN.some((name) => numberAt(value, name) !== undefined)) return usageIn(value);
  for (const part of PARTS) {
    const usage = usageIn(safeGet(value, part));
    if (usage !== undefined) return usage;
  }
  return resultUsage(value);
}

/** Usage in the result of a client; undefined: it has no usage. Never throws. */
export function resultUsage(result: unknown): ReportedUsage | undefined {
  // Reading the usage of a stream of the AI SDK would consume the stream.
  if (typeof result !== "object" || result === null || safeGet(result, "consumeStream") !== undefined) return undefined;
  for (const place of PLACES) {
    const usage = safeGet(result, place);
    const found = usage === undefined ? undefined : (clientUsage(usage) ?? usageIn(usage));
    if (found !== undefined) return found;
  }
  return undefined;
}

function usageIn(value: unknown): ReportedUsage | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const [input, output, tokens] = [INPUT, OUTPUT, TOTAL].map((names) => firstNumber(value, names));
  if (input === undefined && output === undefined) return tokens === undefined ? undefined : { tokens };
  const apart = sumOf(value, APART);
  const thoughts = sumOf(value, ["thoughtsTokenCount"]);
  const cached = [value, ...INPUT_DETAILS.map((name) => safeGet(value, name))].map((place) =>
    typeof place === "object" && place !== null ? firstNumber(place, CACHED) : undefined,
  );
  const cachedInputTokens = cached.find((amount) => amount !== undefined);
  return {
    ...(cachedInputTokens !== undefined && { cachedInputTokens }),
    ...(input !== undefined && { inputTokens: input + apart }),
    ...(output !== undefined && { outputTokens: output + thoughts }),
    ...(tokens !== undefined && (input === undefined || output === undefined) && { tokens }),
  };
}

function firstNumber(value: object, names: readonly string[]): number | undefined {
  for (const name of names) {
    const found = numberAt(value, name);
    if (found !== undefined) return found;
  }
  return undefined;
}

function sumOf(value: object, names: readonly string[]): number {
  return names.reduce((sum, name) => sum + (numberAt(value, name) ?? 0), 0);
}

/** Amount of that name; the AI SDK states its parts and a total. */
function numberAt(value: object, name: string): number | undefined {
  const found = safeGet(value, name);
  const amount = typeof found === "object" ? safeGet(found, "total") : found;
  return typeof amount === "number" && amount >= 0 && amount <= Number.MAX_SAFE_INTEGER ? amount : undefined;
}
