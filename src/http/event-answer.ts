// Reading of an answer in server-sent events, or in lines of JSON, while it passes.
//
//   usage     the first and the last event with a usage are kept as text, and parsed when the lease ends
//   error     `event: error`, or an event with an error in it: the answer has failed
//   terminal  `[DONE]`, and the last event of Anthropic, Cohere and OpenAI's responses: the answer has succeeded
//   finish    a finish reason in one of the last three events: an answer that is left from then on has succeeded
//
// Regimes: an event without these words costs two searches. A line of more than 1 MiB is passed over.
// Source: measured on an event of 280 characters. A search for a word without its leading quote takes 0.1 us, with it 0.3 us;
// a decoder in stream mode takes 0.5 us more, so it is used only for a part that ends within a character.

import type { ClientUsage, Settlement, Usage } from "grate-limiter";
import type { Answer } from "./answer.ts";
import { errorIn, jsonObject, mergedUsage, usageIn } from "./answer-usage.ts";
import { web } from "./web.ts";

const MAX_LINE = 1_048_576;
const RETURN = 13;
const BRACE = 123;
const FAILURE: Settlement = { status: "server_error" };
const STREAM = { stream: true };
/** Names of the last events. */
const TERMINAL: ReadonlySet<string> = new Set([
  "message_stop",
  "response.completed",
  "response.incomplete",
  "message-end",
]);
/** Names of events that are errors whatever they contain. */
const FAILED: ReadonlySet<string> = new Set(["error", "response.failed"]);
const TYPE = /^\{\s*"type"\s*:\s*"([^"]{1,40})"/;
const FINISH = /"finish_?[rR]eason"\s*:\s*"/;
const USAGE = /"usage(_?[mM]etadata)?"\s*:\s*\{/;

/** Reader of the events of one answer. */
export class EventAnswer implements Answer {
  readonly readAhead = 65_536;
  readonly #epochNow: () => number;
  readonly #inputTokens: number | undefined;
  readonly #decoder = new web.TextDecoder();
  /** The line that has no end yet. */
  #rest = "";
  /** True while a line passes that is too long. */
  #isSkipping = false;
  #name = "";
  #data = "";
  #firstUsage: string | undefined;
  #lastUsage: string | undefined;
  #deltas = 0;
  /** The latest events. */
  #recent: readonly [string, string, string] = ["", "", ""];
  #ending: Settlement | undefined;

  /** `inputTokens`: stated input of the request. */
  constructor(epochNow: () => number, inputTokens: number | undefined) {
    this.#epochNow = epochNow;
    this.#inputTokens = inputTokens;
  }

  get isComplete(): boolean {
    return this.#ending?.status === "success" || this.#recent.some((data) => FINISH.test(data));
  }

  read(bytes: Uint8Array): Settlement | undefined {
    const isCut = bytes[bytes.length - 1]! >= 0x80;
    this.#lines(this.#decoder.decode(bytes, isCut ? STREAM : undefined));
    return this.#ending;
  }

  end(): Settlement {
    // The last event can lack its empty line.
    this.#lines("\n\n");
    return this.#ending ?? { status: "success", usage: this.usage() };
  }

  /** Stated usage, or else the number of events as the output. */
  usage(): ClientUsage | Usage | undefined {
    const deltas = this.#deltas;
    if (this.#lastUsage === undefined) {
      return deltas > 0 ? { inputTokens: this.#inputTokens, outputTokens: deltas } : undefined;
    }
    const first = jsonObject(this.#firstUsage!) ?? {};
    if (this.#lastUsage !== this.#firstUsage) {
      return mergedUsage([usageIn(first), usageIn(jsonObject(this.#lastUsage) ?? {})]);
    }
    const usage = usageIn(first);
    // Anthropic's first event states the input, and an output that has only begun.
    const hasBegun = usage !== undefined && first["type"] === "message_start";
    return mergedUsage([
      usage,
      hasBegun ? { output_tokens: Math.max(deltas, Number(usage["output_tokens"]) || 0) } : {},
    ]);
  }

  #lines(text: string): void {
    const known = this.#rest.length;
    const all = known === 0 ? text : this.#rest + text;
    let from = 0;
    for (let end = all.indexOf("\n", known); end >= 0; end = all.indexOf("\n", from)) {
      if (this.#isSkipping) this.#isSkipping = false;
      else this.#line(all, from, all.charCodeAt(end - 1) === RETURN && end > from ? end - 1 : end);
      from = end + 1;
    }
    const left = all.length - from;
    if (left > MAX_LINE) this.#isSkipping = true;
    this.#rest = this.#isSkipping || left === 0 ? "" : all.slice(from);
  }

  #line(all: string, from: number, end: number): void {
    if (end === from) {
      if (this.#data !== "") this.#event(this.#name, this.#data);
      this.#name = "";
      this.#data = "";
    } else if (all.startsWith("data:", from)) {
      const data = all.slice(all.charCodeAt(from + 5) === 32 ? from + 6 : from + 5, end);
      this.#data = this.#data === "" ? data : `${this.#data}\n${data}`;
    } else if (all.startsWith("event:", from)) this.#name = all.slice(from + 6, end).trim();
    else if (all.charCodeAt(from) === BRACE) this.#event("", all.slice(from, end));
  }

  #event(name: string, data: string): void {
    if (this.#ending !== undefined) return;
    const type = name || (TYPE.exec(data)?.[1] ?? "");
    const hasFailed = FAILED.has(type);
    if (hasFailed || data.includes('rror"')) {
      const value = jsonObject(data) ?? {};
      const error =
        errorIn(value, this.#epochNow, FAILURE) ??
        (hasFailed ? errorIn({ error: value }, this.#epochNow, FAILURE) : undefined);
      if (error !== undefined) {
        this.#ending = { ...error, usage: this.usage() };
        return;
      }
    }
    if (data.includes("usage") && USAGE.test(data)) {
      this.#firstUsage ??= data;
      this.#lastUsage = data;
    }
    if (TERMINAL.has(type) || data === "[DONE]") this.#ending = { status: "success", usage: this.usage() };
    else if (type === "" || type.endsWith("delta")) this.#deltas++;
    this.#recent = [this.#recent[1], this.#recent[2], data];
  }
}
