// Demand of a request by its JSON body.
//
//   input   = ceil(characters of the prompt / 4)
//   output  = at most the largest number of tokens that the body allows
//
// Regimes: a body that is no JSON text has no demand, so it is estimated. An image or a sound in base64 counts as 1,000 tokens.

import type { SelectOptions } from "grate-limiter";
import type { Json } from "./answer-usage.ts";

const CHARACTERS_PER_TOKEN = 4;
const PROMPTS = ["messages", "input", "contents", "prompt", "system", "tools", "systemInstruction", "instructions"];
const OUTPUTS = ["max_completion_tokens", "max_tokens", "max_output_tokens"];
const MEDIA = /^(data:[^,]{0,100};base64,|[A-Za-z0-9+/=_-]{1000})/;
const MEDIA_CHARACTERS = 4_000;
const MAX_DEPTH = 20;

/** Demand that the body states; empty: none. */
export function demandOf(body: Json | undefined): SelectOptions {
  if (body === undefined) return {};
  let characters = 0;
  for (const name of PROMPTS) characters += charactersIn(body[name], 0);
  const generation = body["generationConfig"] as Json | null | undefined;
  const output = [...OUTPUTS.map((name) => body[name]), generation?.["maxOutputTokens"]].find(isAmount);
  return {
    ...(characters > 0 && { inputTokens: Math.ceil(characters / CHARACTERS_PER_TOKEN) }),
    ...(output !== undefined && { maxOutputTokens: output }),
  };
}

function isAmount(value: unknown): value is number {
  return typeof value === "number" && value > 0 && value <= Number.MAX_SAFE_INTEGER;
}

/** Characters of all texts in the value. A number in a prompt is a token. */
function charactersIn(value: unknown, depth: number): number {
  if (typeof value === "string") return MEDIA.test(value) ? MEDIA_CHARACTERS : value.length;
  if (typeof value === "number") return CHARACTERS_PER_TOKEN;
  if (typeof value !== "object" || value === null || depth > MAX_DEPTH) return 0;
  let sum = 0;
  for (const part of Object.values(value)) sum += charactersIn(part, depth + 1);
  return sum;
}
