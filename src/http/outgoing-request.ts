import type { FairnessOptions, SelectOptions } from "grate-limiter";
import { type Json, jsonObject } from "./answer-usage.ts";
import { demandOf } from "./request-demand.ts";
import { type WebHeaders, type WebInit, type WebRequest, type WebSignal, web } from "./web.ts";

const HOST = /^[a-z]+:\/\/(?:[^/?#@]*@)?([^/?#:]*)/i;

/** Request as the client sends it. */
export interface HttpRequest {
  readonly url: string;
  readonly method: string;
  /** Parsed body, if it is a JSON object in a text; else undefined. */
  readonly body: unknown;
}

/** Needs of a request, its fairness key and its priority. */
export interface HttpNeeds extends SelectOptions, FairnessOptions {
  priority?: number | undefined;
}

/** Options of both functions. */
export interface HttpOptions {
  /**
   * Returns the needs of a request. Default: from a JSON text, a quarter of the prompt's characters as input tokens, and
   * `max_tokens` or its like as the most output tokens. All else is estimated.
   */
  needs?: ((request: HttpRequest) => HttpNeeds) | undefined;
  /** Longest wait for capacity in milliseconds. Default: that of the limiter. */
  maxWaitMs?: number | undefined;
  /** Time limit in milliseconds until the headers of one attempt. Default: that of the limiter. */
  attemptTimeoutMs?: number | undefined;
  /** Function that sends requests; default the global `fetch`. */
  fetch?: ((input: string | URL | Request, init?: RequestInit) => Promise<Response>) | undefined;
}

/** Arguments of `fetch`, read once. */
export class OutgoingRequest implements HttpRequest {
  readonly input: string | URL | Request;
  readonly init: WebInit | undefined;
  readonly url: string;
  readonly method: string;
  readonly body: Json | undefined;
  /** The input, if it is a Request. */
  readonly request: WebRequest | undefined;

  constructor(input: string | URL | Request, init: WebInit | undefined) {
    this.input = input;
    this.init = init;
    const isUrl = typeof input === "string" || "href" in input;
    this.request = isUrl ? undefined : (input as unknown as WebRequest);
    this.url = this.request?.url ?? String(input);
    this.method = init?.method ?? this.request?.method ?? "GET";
    this.body = typeof init?.body === "string" ? jsonObject(init.body) : undefined;
  }

  /** Signal of the caller. */
  get signal(): WebSignal | undefined {
    const { signal = this.request?.signal } = this.init ?? {};
    return signal ?? undefined;
  }

  get host(): string {
    return hostOf(this.url);
  }

  get headers(): WebHeaders {
    return new web.Headers(this.init?.headers ?? this.request?.headers);
  }

  /** True if the body can be sent again: it is no stream. */
  get isRepeatable(): boolean {
    const body = this.init?.body ?? this.request?.body ?? undefined;
    return typeof body !== "object" || !("getReader" in (body as object) || Symbol.asyncIterator in (body as object));
  }

  needs(options: HttpOptions): HttpNeeds {
    return options.needs?.(this) ?? demandOf(this.body);
  }
}

/** Host of a URL; empty: it has none. */
export function hostOf(url: string): string {
  return HOST.exec(url)?.[1] ?? "";
}
