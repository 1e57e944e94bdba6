import type { EngineTime } from "../clock/engine-time.ts";
import { epochOfHttpDate } from "../clock/http-date.ts";
import { safeGet } from "./safe-get.ts";

/**
 * For how many ms these headers ask to be left alone; undefined: they do not say, or nothing that can be understood.
 * A date counts from the server's own `date`, where it sent one, so that clocks that differ do no harm; else from the wall clock.
 */
export function retryAfterMs(headers: unknown, time: EngineTime): number | undefined {
  const ms = amount(header(headers, "retry-after-ms"));
  if (ms !== undefined) return ms;
  const told = header(headers, "retry-after");
  const seconds = amount(told);
  if (seconds !== undefined) return seconds * 1_000;
  const at = epochOfHttpDate(told);
  return at === undefined
    ? undefined
    : Math.max(0, at - (epochOfHttpDate(header(headers, "date")) ?? time.epochAt(time.read())));
}

/** A header by its name in lower case, of whatever clients keep headers in: Headers, a Map, pairs, a plain object. */
function header(headers: unknown, name: string): string | undefined {
  if (typeof headers !== "object" || headers === null) return undefined;
  const get = safeGet(headers, "get");
  const told: unknown = typeof get === "function" ? get.call(headers, name) : undefined;
  if (told !== undefined && told !== null) return String(told).trim();
  const pairs = (Symbol.iterator in headers ? headers : Object.entries(headers)) as Iterable<readonly unknown[]>;
  for (const [key, value] of pairs) if (String(key).toLowerCase() === name) return String(value).trim();
  return undefined;
}

function amount(told: string | undefined): number | undefined {
  return told !== undefined && /^\d+(\.\d+)?$/.test(told) ? Number(told) : undefined;
}
