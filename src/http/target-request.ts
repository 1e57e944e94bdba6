// Rewriting of a request for one of several vendors.
//
//   URL          the base URL of the client is replaced by the one of the target; the rest of the path and the query stay
//   credentials  those of the client are removed, and the key of the target is written in their places
//   model        replaced in a JSON text
//
// Regimes: the base URL of the client is the longest one known with which its request begins. A version that both the base of
// the target and the rest of the path have, such as /v1, is not repeated.

import type { SentRequest } from "./http-call.ts";
import type { OutgoingRequest } from "./outgoing-request.ts";
import { type WebHeaders, web } from "./web.ts";

/** One vendor, key or deployment of `routedFetch`. */
export interface RoutedTarget {
  /** Base URL as the client would be configured with it. Its query is added to that of the request. */
  readonly baseURL: string;
  /** Key. Without it the request has none, unless `headers` has one. */
  readonly apiKey?: string | undefined;
  /** Name of the model, written into a JSON body. Default: that of the request. */
  readonly model?: string | undefined;
  /** Headers to set; null: to remove. */
  readonly headers?: { readonly [name: string]: string | null } | undefined;
  /** Name of the vendor's dialect. Default: that of the provider, else detected by the headers and the host. */
  readonly dialect?: string | undefined;
}

/** Base URL of the client of OpenAI, which most clients have that are routed. */
const OPENAI_BASE = "https://api.openai.com/v1";
const CREDENTIALS = ["authorization", "x-api-key", "api-key", "x-goog-api-key"];

/** Request for the target. `bases`: base URLs that the client might have. */
export function targetRequest(request: OutgoingRequest, target: RoutedTarget, bases: readonly string[]): SentRequest {
  const url = targetUrl(request.url, target.baseURL, bases);
  const headers = request.headers;
  writeKey(headers, target.apiKey);
  for (const [name, value] of Object.entries(target.headers ?? {})) {
    if (value === null) headers.delete(name);
    else headers.set(name, value);
  }
  const { init, body } = request;
  const isRenamed = target.model !== undefined && body?.["model"] !== undefined;
  if (isRenamed) headers.delete("content-length");
  const own = { ...init, headers, ...(isRenamed && { body: JSON.stringify({ ...body, model: target.model }) }) };
  const from = request.request;
  return {
    input: from === undefined ? url : (new web.Request(url, from) as unknown as Request),
    init: own,
    url,
    dialect: target.dialect,
  };
}

function writeKey(headers: WebHeaders, apiKey: string | undefined): void {
  const places = CREDENTIALS.filter((name) => headers.has(name));
  for (const name of CREDENTIALS) headers.delete(name);
  if (apiKey === undefined) return;
  for (const name of places.length > 0 ? places : ["authorization"]) {
    headers.set(name, name === "authorization" ? `Bearer ${apiKey}` : apiKey);
  }
}

/** URL of the request at the base of the target. */
function targetUrl(url: string, baseURL: string, bases: readonly string[]): string {
  const { origin, pathname, search } = new web.URL(url);
  const base = [...bases, OPENAI_BASE].map(trimmed).filter((known) => startsWithPath(origin + pathname, known));
  const longest = base.reduce((best, known) => (known.length > best.length ? known : best), "");
  const to = new web.URL(baseURL);
  const toPath = trimmed(to.pathname);
  const rest = longest === "" ? withoutOverlap(toPath, pathname) : (origin + pathname).slice(longest.length);
  const result = new web.URL(`${to.origin}${toPath}${rest}${search}`);
  // A parameter of the request counts.
  for (const [name, value] of to.searchParams) if (!result.searchParams.has(name)) result.searchParams.set(name, value);
  return result.href;
}

/** Base without its query and its last slash. */
function trimmed(base: string): string {
  return base.replace(/[?#].*$/, "").replace(/\/+$/, "");
}

function startsWithPath(path: string, base: string): boolean {
  return path === base || path.startsWith(`${base}/`);
}

/** Path without those first segments that are the last ones of `base`. */
function withoutOverlap(base: string, path: string): string {
  for (let from = base.indexOf("/"); from >= 0; from = base.indexOf("/", from + 1)) {
    const end = base.slice(from);
    if (startsWithPath(path, end)) return path.slice(end.length);
  }
  return path;
}
