import { type GrateLimiter, InvalidConfig } from "grate-limiter";
import { CONTENT_SECURITY_POLICY, PAGE } from "./built-page.ts";
import { Feed } from "./feed.ts";
import { isLoopbackRequest } from "./loopback.ts";
import type { MonitoredLimiter } from "./recorder.ts";
import { shortText } from "./rows.ts";
import { type WebRequest, web } from "./web.ts";

/** Options of `monitorHandler`: `authorize`, or `loopbackOnly`, or both. */
export interface MonitorOptions {
  /**
   * Decides if a request can see the monitor. Only `true` allows it; a `Response` is sent instead, for example one with the
   * status 401; any other value is answered with 403. Required, unless `loopbackOnly` is true.
   */
  readonly authorize?: ((request: Request) => boolean | Response | PromiseLike<boolean | Response>) | undefined;
  /**
   * True: the server listens on a loopback address only, so that `authorize` is not required. Requests for other hosts, and
   * those that a proxy has passed on, are answered with 403. Default false.
   */
  readonly loopbackOnly?: boolean | undefined;
  /** Heading of the page, for example the name of the service. Default "grate-limiter". */
  readonly title?: string | undefined;
}

/** Pages that can be open at one time. */
const MOST_STREAMS = 50;

const HEADERS = {
  "cache-control": "no-store, no-transform",
  "content-security-policy": CONTENT_SECURITY_POLICY,
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  // One address has the page and the stream.
  vary: "accept",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

/**
 * Returns a handler that shows a limiter: a page, and the stream of server-sent events that the page reads at the same
 * address. Mount it at any path. It only reads. It sets a timer and listens to events only while a page is open.
 *
 * Answers GET and HEAD: 403 if the request is not allowed, 405 for other methods, 503 above 50 open pages. Rejects with the
 * error of `authorize`. Throws InvalidConfig for invalid options, and without `authorize` and `loopbackOnly: true`.
 */
export function monitorHandler<P extends string, Routes extends Record<string, P>>(
  limiter: GrateLimiter<P, Routes>,
  options: MonitorOptions,
): (request: Request) => Promise<Response> {
  checkOptions(limiter, options);
  const { authorize, loopbackOnly = false, title = "grate-limiter" } = options;
  const feed = new Feed(limiter as unknown as MonitoredLimiter, shortText(title));
  return async (request) => {
    const { method, headers, signal } = request as WebRequest;
    const isStream = headers.get("accept")?.includes("text/event-stream") === true;
    if (loopbackOnly && !isLoopbackRequest(request as WebRequest)) {
      return answer(
        403,
        "The monitor answers requests for localhost, 127.0.0.1 or [::1] that no proxy has passed on.\n",
      );
    }
    // No other site has a reason to read the stream, or to show the page in itself. A link to the page is harmless.
    const site = headers.get("sec-fetch-site") ?? "none";
    if (site !== "same-origin" && site !== "none" && headers.get("sec-fetch-mode") !== "navigate") {
      return answer(403, "The monitor answers no requests of other sites.\n");
    }
    if (authorize !== undefined) {
      const verdict: unknown = await authorize(request);
      if (isResponse(verdict)) return verdict as Response;
      if (verdict !== true) return answer(403, "Not allowed.\n");
    }
    if (method !== "GET" && method !== "HEAD")
      return answer(405, "The monitor is read only.\n", { allow: "GET, HEAD" });
    const isHead = method === "HEAD";
    if (!isStream) return answer(200, isHead ? null : PAGE, { "content-type": "text/html; charset=utf-8" });
    if (feed.size >= MOST_STREAMS) return answer(503, "Too many open pages.\n", { "retry-after": "10" });
    return answer(200, isHead ? null : feed.open(signal), {
      "content-type": "text/event-stream; charset=utf-8",
      // Some proxies collect a response before they send it.
      "x-accel-buffering": "no",
    });
  };
}

function answer(status: number, body: unknown, headers: { readonly [name: string]: string } = {}): Response {
  return new web.Response(body, {
    status,
    headers: { "content-type": "text/plain; charset=utf-8", ...HEADERS, ...headers },
  });
}

/** True for a response, also one of another realm or library. */
function isResponse(value: unknown): boolean {
  const { status, headers } = (value ?? {}) as { readonly status?: unknown; readonly headers?: { get?: unknown } };
  return typeof status === "number" && typeof headers?.get === "function";
}

function checkOptions(limiter: unknown, options: unknown): void {
  const given = Object(options) as { readonly [name: string]: unknown };
  const problems: { path: string; expected: string; got: string }[] = [];
  const check = (isValid: boolean, path: string, expected: string, value: unknown) => {
    if (!isValid) problems.push({ path, expected, got: textOf(value) });
  };
  const { authorize, loopbackOnly, title } = given;
  const { inspect, on } = Object(limiter) as { readonly inspect?: unknown; readonly on?: unknown };
  check(typeof inspect === "function" && typeof on === "function", "limiter", "a GrateLimiter", limiter);
  check(typeof options === "object" && options !== null, "options", "an object", options);
  const isProtected = typeof authorize === "function" || (authorize === undefined && loopbackOnly === true);
  const needed = "a function, unless the server is bound to loopback and loopbackOnly is true";
  check(isProtected, "authorize", needed, authorize);
  check(["undefined", "boolean"].includes(typeof loopbackOnly), "loopbackOnly", "true or false", loopbackOnly);
  check(["undefined", "string"].includes(typeof title), "title", "a string", title);
  for (const name of Object.keys(given)) {
    const known = ["authorize", "loopbackOnly", "title"];
    check(known.includes(name), name, `one of ${known.join(", ")}`, given[name]);
  }
  if (problems.length === 0) return;
  throw new InvalidConfig(
    problems,
    problems.map(({ path, expected, got }) => `${path}: expected ${expected}, got ${got}`),
  );
}

function textOf(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(shortText(value));
  if (typeof value === "object" && value !== null) return "an object";
  return typeof value === "function" ? "a function" : String(value);
}
