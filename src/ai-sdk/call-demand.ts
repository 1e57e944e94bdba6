// Demand of a call, and the usage that its result states.
//
//   input   = ceil(characters of the prompt, the tools and the values / 4); a file counts as 1,000 tokens
//   output  = at most `maxOutputTokens`
//
// Regimes: a call without a text has no stated demand, so it is estimated from earlier calls.

import type { ClientUsage, SelectOptions, Usage } from "grate-limiter";
import type { Json } from "./model-types.ts";

const CHARACTERS_PER_TOKEN = 4;
const FILE_CHARACTERS = 4_000;
const MAX_DEPTH = 20;
const TEXTS = ["prompt", "tools", "values", "text", "instructions"];

/** Demand that the options of a call state; empty: none. */
export function demandOf(options: Json): SelectOptions {
  let characters = 0;
  for (const name of TEXTS) characters += charactersIn(options[name], 0);
  const output = options["maxOutputTokens"];
  const isLimited = typeof output === "number" && output > 0 && output <= Number.MAX_SAFE_INTEGER;
  return {
    ...(characters > 0 && { inputTokens: Math.ceil(characters / CHARACTERS_PER_TOKEN) }),
    ...(isLimited && { maxOutputTokens: output }),
  };
}

/** Characters of all texts in the value, without names of fields and options for providers. */
function charactersIn(value: unknown, depth: number): number {
  if (typeof value === "string") return value.length;
  if (typeof value !== "object" || value === null || depth > MAX_DEPTH) return 0;
  if (ArrayBuffer.isView(value) || "mediaType" in value) return FILE_CHARACTERS;
  let sum = 0;
  for (const [name, part] of Object.entries(value)) {
    if (name !== "providerOptions") sum += charactersIn(part, depth + 1);
  }
  return sum;
}

/** Usage in the result of a call, or in the last part of a stream; undefined: it states none. */
export function usageOf(result: Json | undefined): ClientUsage | Usage | undefined {
  const usage = result?.["usage"] as Json | null | undefined;
  const tokens = usage?.["tokens"];
  // All tokens of an embedding are input.
  if (typeof tokens === "number") return tokens >= 0 ? { inputTokens: tokens, outputTokens: 0 } : undefined;
  const amounts = ["inputTokens", "outputTokens", "totalTokens"].map((name) => {
    const amount = usage?.[name] as Json | number | null | undefined;
    return typeof amount === "object" ? amount?.["total"] : amount;
  });
  return amounts.some((amount) => typeof amount === "number" && amount >= 0) ? (usage as ClientUsage) : undefined;
}
