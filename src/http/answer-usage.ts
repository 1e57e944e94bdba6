// Usage and errors in the JSON of an answer, or of one event of it.
//
//   usage    of the value, or of the part of it in which a vendor puts the usage
//   merged   the first and the last usage of a stream: Anthropic states the input first and the output last
//   error    of an event, or of a response with status 200 that failed
//
// Sources: OpenAI chat and responses, Anthropic, Gemini, Cohere, Groq, Mistral, OpenRouter, GraphQL, Slack.

import { type ClientUsage, classifyResult, type Settlement } from "grate-limiter";

/** Parts of an event in which vendors put the usage. */
const PARTS = ["response", "message", "delta", "x_groq"];
const USAGES = ["usage", "usageMetadata", "usage_metadata"];
/** Parts of the `meta` of Cohere that are amounts. */
const BILLED = ["billed_units", "tokens"];

/** Any JSON object. */
export type Json = { readonly [key: string]: unknown };

/** JSON object in a text; undefined: the text is something else. */
export function jsonObject(text: string): Json | undefined {
  try {
    return objectOf(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function objectOf(value: unknown): Json | undefined {
  return typeof value === "object" && value !== null ? (value as Json) : undefined;
}

/** Usage that an answer or an event states; undefined: none. */
export function usageIn(value: Json): Json | undefined {
  for (const part of [value, ...PARTS.map((name) => objectOf(value[name]))]) {
    for (const name of USAGES) {
      const usage = objectOf(part?.[name]);
      if (usage !== undefined) return usage;
    }
  }
  const meta = objectOf(value["meta"]);
  return meta !== undefined && BILLED.some((name) => name in meta) ? meta : undefined;
}

/** Latest statement of each amount in several usages; undefined: no usage states one. */
export function mergedUsage(usages: readonly (Json | undefined)[]): ClientUsage | undefined {
  const merged: { [key: string]: unknown } = {};
  for (const usage of usages) {
    for (const [name, value] of Object.entries(usage ?? {})) if (value !== null) merged[name] = value;
  }
  return Object.keys(merged).length > 0 ? merged : undefined;
}

/**
 * Settlement of an answer that contains an error; undefined: it contains none. `fallback` is the settlement of an error that
 * no rule recognizes.
 */
export function errorIn(value: Json, epochNow: () => number, fallback: Settlement | undefined): Settlement | undefined {
  const error = [objectOf(value["response"])?.["error"], value["error"]].find(isPresent);
  if (error === undefined) return undefined;
  const { status, settlement } = classifyResult({ ok: false, error: { error } }, epochNow);
  return status === "cancelled" ? fallback : settlement;
}

/** True for an object or a text, because many events have the error null. */
function isPresent(error: unknown): boolean {
  return typeof error === "string" ? error !== "" : objectOf(error) !== undefined;
}
