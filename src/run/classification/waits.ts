// How long a provider asks not to be called, in milliseconds.
//
//   always            retry-after-ms, x-ms-retry-after-ms, x-amz-retry-after; else Retry-After; else a `retryAfter` field
//   if a budget       "You will regain access on 2026-09-01 at 00:00 UTC" in a body
//   is spent
//   if it is limited  else the longest hint in a body: RetryInfo, "try again in 33s", `retry_after`
//   or overloaded     else the latest reset of a limit of which nothing remains
//
//   a number          Retry-After: seconds.  A field without a unit: seconds below 1,000, else milliseconds
//   an instant        a date, or a number from 1e9 (epoch s) or 1e12 (epoch ms): minus the server's `date`, else the wall clock
//   a reset           with units ("6m0s") or a date of Anthropic: the time until the limit is full again. One request needs
//                     1 / limit of it, so that much is waited
//
// Regimes: negative and unreadable values are unknown, never 0. Azure's 429 with nothing remaining and a reset of 0 lasts at
// least its renewal period.
// Source: the documentation of the providers, and real answers.

import { epochOfHttpDate } from "../../clock/http-date.ts";
import { type Bodies, ForeignReader } from "./foreign-object.ts";

type EpochNow = () => number;

const LEAST_EPOCH_S = 1e9;
const LEAST_EPOCH_MS = 1e12;
const LEAST_BARE_MS = 1_000;
const MAX_HITS = 8;
const DAY_MS = 86_400_000;
const MAX_DURATION = 60;

const UNIT_MS: { readonly [unit: string]: number } = { ms: 1, mi: 1, s: 1e3, m: 6e4, h: 36e5, d: 864e5 };
const UNITS = "milliseconds?|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d";
const DURATION = new RegExp(`^["':\\s]{0,6}((?:\\d{1,12}(?:\\.\\d{1,12})?\\s?(?:${UNITS})(?![a-z])[\\s,]{0,2}){1,4})`);
const PART = /(\d+(?:\.\d+)?)\s?(ms|mi(?=l)|[smhd])/g;
const PHRASES: readonly string[] = ["try again in ", "retry in ", "retry after ", "wait ", "retrydelay"];

const MS_HEADERS: readonly string[] = ["retry-after-ms", "x-ms-retry-after-ms", "x-amz-retry-after"];
/** Fields of errors and bodies, with the length of their unit in ms; 0: none. */
const FIELDS: { readonly [field: string]: number } = {
  ...{ retryAfterMs: 1, retry_after_ms: 1, timeToReset: 1, retryAfter: 0, retry_after: 0, retryDelay: 1e3 },
  ...{ retryAfterSeconds: 1e3, retry_after_seconds: 1e3, estimated_time: 1e3 },
};

/** Limits that headers describe: `*` is the place of "limit", "remaining" and "reset". */
const LIMITS: readonly string[] = [
  ...["x-ratelimit-*", "x-rate-limit-*", "ratelimit-*"],
  ...["requests", "tokens", "project-tokens", "requests-day", "tokens-minute", "req-minute"].map(
    (of) => `x-ratelimit-*-${of}`,
  ),
  ...["requests", "tokens", "input-tokens", "output-tokens"].map((of) => `anthropic-ratelimit-${of}-*`),
];

/**
 * Wait that response headers ask for, in milliseconds: `retry-after-ms` and its variants, else `retry-after` in seconds or as
 * a date. undefined: no such header, or an unreadable value. A date is compared with the server's own `date` header, so that
 * a local clock that is hours wrong does no harm; if that header is missing, or a day away, with `epochNow` (Unix ms).
 *
 * `headers` can be a `Headers` object, a Map, pairs, or a plain object. Never throws.
 *
 * @experimental
 */
export function parseRetryAfter(headers: unknown, epochNow: EpochNow): number | undefined {
  const isObject = typeof headers === "object" && headers !== null;
  return isObject ? new Waits(new ForeignReader(), [headers], epochNow).header() : undefined;
}

/** Reads the waits of one answer. */
export class Waits {
  readonly #reader: ForeignReader;
  readonly #headers: readonly object[];
  readonly #epochNow: EpochNow;

  constructor(reader: ForeignReader, headers: readonly object[], epochNow: EpochNow) {
    this.#reader = reader;
    this.#headers = headers;
    this.#epochNow = epochNow;
  }

  /** Wait that the headers state. */
  header(): number | undefined {
    for (const name of MS_HEADERS) {
      const ms = this.#valueMs(this.read(name), 1);
      // Azure sends 0 beside a longer Retry-After.
      if (ms) return ms;
    }
    // A header that was sent twice.
    return this.#valueMs(this.read("retry-after")?.replace(/^(\d{1,9}), *\d.*$/, "$1"), 1e3);
  }

  /** Longest wait in the fields of these objects. */
  field(objects: readonly unknown[]): number | undefined {
    return longest(
      objects.flatMap((object) =>
        Object.entries(FIELDS).map(([field, unitMs]) => {
          const value = this.#reader.get(object, field);
          // A parsed RetryInfo.
          const seconds = typeof value === "object" ? this.#reader.get(value, "seconds") : value;
          return this.#valueMs(seconds, unitMs);
        }),
      ),
    );
  }

  /** Longest wait that a body hints at. */
  hint({ objects, texts }: Bodies): number | undefined {
    return longest([this.field(objects), ...texts.map(waitIn)]);
  }

  /** Time until the date on which a spent budget is renewed. */
  regained({ texts }: Bodies): number | undefined {
    const dates = texts.map((text) => /regain access on (\d[\d-]{9})(?: at (\d\d:\d\d))?/i.exec(text));
    return longest(
      dates.map((found) => this.#untilMs(epochOfHttpDate(found?.slice(1).filter(Boolean).join(" "), this.#epochNow))),
    );
  }

  /** Time until the latest reset of the limits of which nothing remains. `needs`: amounts of the request by dimension. */
  reset(needs: { readonly tokens?: number | undefined }): number | undefined {
    return longest([
      ...LIMITS.map((limit) => {
        const read = (part: string) => this.read(limit.replace("*", part));
        const reset = read("reset");
        // Limits with something left did not refuse the request.
        if (reset === undefined || Number(read("remaining") ?? 0) > 0) return undefined;
        const ms = this.#valueMs(reset, 1e3);
        const needed = limit.includes("requests") ? 1 : needs.tokens;
        const isUntilFull = /[a-z]$/.test(reset) || limit.startsWith("anthropic");
        const share = isUntilFull && needed !== undefined ? Math.min(1, needed / Number(read("limit"))) || 1 : 1;
        return ms === undefined ? undefined : Math.ceil(ms * share);
      }),
      // IETF: `"default";r=0;t=10`.
      this.#valueMs(/;\s?t=(\d{1,9})/.exec(this.read("ratelimit") ?? "")?.[1], 1e3),
    ]);
  }

  /** True if a limit has nothing left. */
  get isSpent(): boolean {
    return LIMITS.some((limit) => this.read(limit.replace("*", "remaining")) === "0");
  }

  /** True if a limit is 0, so that no wait helps. */
  get isShut(): boolean {
    return LIMITS.some((limit) => this.read(limit.replace("*", "limit")) === "0");
  }

  /** Least length of a 429 of Azure that contradicts itself; undefined: it does not. */
  get renewalMs(): number | undefined {
    const of = (part: string) => this.read(`x-ratelimit-${part}-tokens`);
    return of("remaining") === "0" && of("reset") === "0" ? this.#valueMs(of("renewalperiod"), 1e3) : undefined;
  }

  /** Text of a header; `name` is in lower case. */
  read(name: string): string | undefined {
    return this.#reader.header(this.#headers, name);
  }

  #valueMs(value: unknown, unitMs: number): number | undefined {
    const text = typeof value === "number" ? String(value) : value;
    if (typeof text !== "string") return undefined;
    if (!/^\d{1,16}(\.\d{1,16})?$/.test(text))
      return durationMs(text) ?? this.#untilMs(epochOfHttpDate(text, this.#epochNow));
    const number = Number(text);
    if (number >= LEAST_EPOCH_MS) return this.#untilMs(number);
    if (number >= LEAST_EPOCH_S) return this.#untilMs(number * 1e3);
    return number * (unitMs || (number < LEAST_BARE_MS ? 1e3 : 1));
  }

  #untilMs(epochMs: number | undefined): number | undefined {
    if (epochMs === undefined) return undefined;
    const now = this.#epochNow();
    const date = epochOfHttpDate(this.read("date"), this.#epochNow);
    const isPlausible = date !== undefined && Math.abs(date - now) < DAY_MS;
    return Math.max(0, epochMs - (isPlausible ? date : now));
  }
}

function longest(waitsMs: readonly (number | undefined)[]): number | undefined {
  const known = waitsMs.filter((ms) => ms !== undefined);
  return known.length > 0 ? Math.max(...known) : undefined;
}

/** First wait that a text hints at. */
function waitIn(text: string): number | undefined {
  const lower = text.toLowerCase();
  for (const phrase of PHRASES) {
    let at = lower.indexOf(phrase);
    for (let hits = 0; at >= 0 && hits < MAX_HITS; hits++) {
      const from = at + phrase.length;
      const ms = durationMs(lower.slice(from, from + MAX_DURATION), false);
      if (ms !== undefined) return ms;
      at = lower.indexOf(phrase, from);
    }
  }
  return undefined;
}

/** Duration such as "7m12s" or "33 seconds" at the beginning of a text, or as all of it. */
function durationMs(text: string, isAll = true): number | undefined {
  const duration = text.length <= MAX_DURATION ? DURATION.exec(text)?.[1] : undefined;
  if (duration === undefined || (isAll && duration.length < text.length)) return undefined;
  let ms = 0;
  for (const [, number, unit] of duration.matchAll(PART)) ms += Number(number) * UNIT_MS[unit!]!;
  return ms;
}
