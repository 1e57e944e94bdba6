import { type ClientUsage, classifyResult, type Settlement, type Usage } from "grate-limiter";
import type { Answer } from "./answer.ts";
import { errorIn, type Json, jsonObject, mergedUsage, usageIn } from "./answer-usage.ts";
import { web } from "./web.ts";

const MAX_BODY = 1_048_576;
/** Vendors state the usage last, for example after the vectors of embeddings. */
const TAIL = 4_096;
const LAST_USAGE = /"(?:usage|usageMetadata)"\s*:\s*(\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\})/g;

/** Reader of an answer that is one JSON text, or no text at all. */
export class WholeAnswer implements Answer {
  readonly readAhead: number;
  readonly isComplete = false;
  readonly #isJson: boolean;
  readonly #epochNow: () => number;
  #chunks: Uint8Array[] = [];
  #bytes = 0;

  constructor(isJson: boolean, epochNow: () => number) {
    this.#isJson = isJson;
    this.#epochNow = epochNow;
    this.readAhead = isJson ? MAX_BODY : 65_536;
  }

  read(bytes: Uint8Array): undefined {
    if (!this.#isJson) return;
    this.#bytes += bytes.byteLength;
    this.#chunks.push(bytes);
    if (this.#bytes <= MAX_BODY) return;
    // Only the end of a large body is kept.
    let kept = 0;
    let from = this.#chunks.length;
    while (from > 0 && kept < TAIL) kept += this.#chunks[--from]!.byteLength;
    this.#chunks = this.#chunks.slice(from);
  }

  end(): Settlement {
    const text = this.#text();
    const usage = this.#bytes > MAX_BODY ? lastUsage(text) : undefined;
    if (usage !== undefined) return { status: "success", usage };
    const value = /"(?:usage|error|meta|ok)/.test(text) ? jsonObject(text) : undefined;
    if (value === undefined) return { status: "success" };
    // Gemini streams a list if it is not asked for events.
    const parts: readonly Json[] = Array.isArray(value) ? value : [value];
    // Slack and GraphQL state their failures in these fields.
    const listed = "ok" in value || "errors" in value ? classifyResult({ ok: true, value }, this.#epochNow) : undefined;
    const isFailure = listed !== undefined && listed.status !== "success";
    const failed = isFailure ? listed.settlement : errorIn(parts.at(-1)!, this.#epochNow, undefined);
    return { ...(failed ?? { status: "success" }), usage: mergedUsage(parts.map((part) => usageIn(part))) };
  }

  usage(): ClientUsage | Usage | undefined {
    return undefined;
  }

  #text(): string {
    const decoder = new web.TextDecoder();
    const text = this.#chunks.map((chunk) => decoder.decode(chunk, { stream: true })).join("");
    this.#chunks = [];
    return text + decoder.decode();
  }
}

/** Usage at the end of a text that is not complete. */
function lastUsage(text: string): Json | undefined {
  const stated = [...text.matchAll(LAST_USAGE)].at(-1)?.[1];
  return stated === undefined ? undefined : jsonObject(stated);
}
