import { epochOfHttpDate } from "../clock/http-date.ts";
import { safeGet } from "./safe-get.ts";

/**
 * Wait that response headers ask for, in milliseconds: `retry-after-ms`, else `retry-after` in seconds or as a date.
 * undefined: no such header, or a value that is neither. A date is compared with the server's own `date` header, so that a
 * wrong local clock does no harm; `epochNow` (Unix ms) is called only if that header is missing.
 *
 * `headers` can be a `Headers` object, a Map, pairs, or a plain object. Throws only what a hostile object throws.
 *
 * @experimental
 */
export function parseRetryAfter(headers: unknown, epochNow: () => number): number | undefined {
  const ms = parseDecimal(readHeader(headers, "retry-after-ms"));
  if (ms !== undefined) return ms;
  const retryAfter = readHeader(headers, "retry-after");
  const seconds = parseDecimal(retryAfter);
  if (seconds !== undefined) return seconds * 1_000;
  const until = epochOfHttpDate(retryAfter);
  if (until === undefined) return undefined;
  return Math.max(0, until - (epochOfHttpDate(readHeader(headers, "date")) ?? epochNow()));
}

/** Value of a header; `name` is in lower case. */
function readHeader(headers: unknown, name: string): string | undefined {
  if (typeof headers !== "object" || headers === null) return undefined;
  const get = safeGet(headers, "get");
  const value: unknown = typeof get === "function" ? get.call(headers, name) : undefined;
  if (value !== undefined && value !== null) return String(value).trim();
  const pairs = (Symbol.iterator in headers ? headers : Object.entries(headers)) as Iterable<readonly unknown[]>;
  for (const [key, value] of pairs) if (String(key).toLowerCase() === name) return String(value).trim();
  return undefined;
}

function parseDecimal(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+(\.\d+)?$/.test(text) ? Number(text) : undefined;
}
