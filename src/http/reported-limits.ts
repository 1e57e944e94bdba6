import { type DialectName, RealClock, type ReportedQuota, type Settlement, type TaskResult } from "grate-limiter";
import { dialectOf } from "./dialects/dialects.ts";
import { readerOf } from "./header-values.ts";

const clock = new RealClock();

/**
 * Limits that the headers of a response report: `lease.headersReceived({ reported })` and `settle({ reported })` apply them.
 * `headers` is a `Headers` object, a Map, pairs, or a plain object. `dialect`: the vendor of the headers; default detected by
 * them. Unknown values are left out. Never throws.
 */
export function reportedLimits(headers: unknown, dialect?: DialectName): ReportedQuota[] {
  const header = readerOf(headers);
  return dialectOf(dialect, header, "").reported(header, clock.epochNow());
}

/** Places of the headers in responses and in errors of clients. */
const PLACES: readonly (readonly string[])[] = [
  ...[["headers"], ["response", "headers"], ["responseHeaders"], ["rawResponse", "headers"]],
  ...[
    ["httpResponse", "headers"],
    ["$response", "headers"],
  ],
];

/**
 * Adds the limits that a `Response`, or the error of a client, reports in its headers. For the option `classify` of a call or
 * of `defaults`, if the client is called inside of `run`. The built-in rules find status, wait and usage. Never throws.
 */
export function classifyHttp(result: TaskResult): Settlement | undefined {
  const outcome = result.ok ? result.value : result.error;
  for (const place of PLACES) {
    const headers = valueAt(outcome, place);
    if (typeof headers !== "object" || headers === null) continue;
    const header = readerOf(headers);
    const reported = dialectOf(undefined, header, hostIn(outcome)).reported(header, clock.epochNow());
    if (reported.length > 0) return { reported } as Settlement;
  }
  return undefined;
}

/** Places of the URL of a request or a response. */
const URLS: readonly (readonly string[])[] = [
  ...[["url"], ["response", "url"], ["config", "baseURL"], ["config", "url"], ["request", "url"]],
];

/** Host that an outcome names; "": it names none. */
function hostIn(outcome: unknown): string {
  for (const place of URLS) {
    const url = valueAt(outcome, place);
    if (typeof url !== "string") continue;
    const host = /^https?:\/\/(?:[^/?#]*@)?([^/:?#]+)/i.exec(url.slice(0, 2_048))?.[1];
    if (host !== undefined) return host.toLowerCase();
  }
  return "";
}

function valueAt(object: unknown, path: readonly string[]): unknown {
  try {
    return path.reduce<unknown>(
      (value, key) => (value as { readonly [key: string]: unknown } | undefined)?.[key],
      object,
    );
  } catch {
    return undefined;
  }
}
