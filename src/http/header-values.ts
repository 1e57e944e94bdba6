// Values of headers about limits.
//
//   with units   "6m0s", "2m59.56s", "12ms"       a duration
//   a date       RFC 3339, ISO 8601 or HTTP        minus the server's `date`, else the local time
//   a number     from 1e12: Unix ms; from 1e9: Unix s; below: seconds from now
//
// Regimes: negative and unreadable values are unknown, never 0. The resolution is that of the written digits; durations with
// units are exact to their last unit.
// Source: the headers of real providers.

import { parseRetryAfter } from "grate-limiter";
import type { HeaderReader } from "./dialect.ts";

/** Time until a reset, and its resolution, in milliseconds. */
export interface Reset {
  readonly ms: number;
  readonly resolutionMs: number;
}

const LEAST_EPOCH_S = 1e9;
const LEAST_EPOCH_MS = 1e12;
const LONGEST = 64;
const UNIT_MS: { readonly [unit: string]: number } = { ms: 1, s: 1e3, m: 6e4, h: 36e5, d: 864e5 };
const DURATION = /^(?:\d{1,12}(?:\.\d{1,12})?(?:ms|[smhd])){1,5}$/;
const PART = /(\d+)(?:\.(\d+))?(ms|[smhd])/g;
const NUMBER = /^\d{1,16}(?:\.(\d{1,12}))?$/;
const DATE = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d|^[A-Za-z]{3,9},? /;

/** Whole number from 0 in a header; undefined: it has no number. A list such as "100, 100;w=60" counts as its first item. */
export function countIn(text: string | null): number | undefined {
  const first = /^\s*(\d{1,15})(?:\.\d{1,6})?\s*(?:[,;]|$)/.exec(text === null ? "" : text.slice(0, LONGEST));
  return first === null ? undefined : Number(first[1]);
}

/** Time until a reset; undefined: unknown. `epochMs`: local Unix time, for responses without a date. */
export function resetIn(text: string | null, header: HeaderReader, epochMs: number): Reset | undefined {
  const value = text?.trim() ?? "";
  if (value === "" || value.length > LONGEST) return undefined;
  if (DURATION.test(value)) return durationOf(value);
  const number = NUMBER.exec(value);
  if (number === null) return DATE.test(value) ? untilInstant(value, fractionMs(value), header, epochMs) : undefined;
  const amount = Number(value);
  if (amount >= LEAST_EPOCH_MS) return untilInstant(value, 1, header, epochMs);
  const resolutionMs = 1_000 * 10 ** -(number[1]?.length ?? 0);
  if (amount >= LEAST_EPOCH_S) return untilInstant(value, resolutionMs, header, epochMs);
  return { ms: amount * 1e3, resolutionMs };
}

function durationOf(text: string): Reset {
  let ms = 0;
  let resolutionMs = 1;
  for (const [, whole, fraction = "", unit] of text.matchAll(PART)) {
    const unitMs = UNIT_MS[unit!]!;
    ms += Number(`${whole}.${fraction}`) * unitMs;
    if (fraction !== "") resolutionMs = Math.max(1, unitMs * 10 ** -fraction.length);
  }
  return { ms, resolutionMs };
}

/** Digits of the seconds of a date. */
function fractionMs(date: string): number {
  const fraction = /:\d\d\.(\d+)/.exec(date)?.[1] ?? "";
  return Math.max(1, 1_000 * 10 ** -fraction.length);
}

/** Time until a date or a Unix time. One that has passed is unknown. */
function untilInstant(value: string, resolutionMs: number, header: HeaderReader, epochMs: number): Reset | undefined {
  const ms = parseRetryAfter({ "retry-after": value, date: header("date") }, () => epochMs);
  return ms === undefined || ms === 0 ? undefined : { ms, resolutionMs };
}

/** Reads headers in any shape: a `Headers` object, a Map, pairs, or a plain object. Never throws. */
export function readerOf(headers: unknown): HeaderReader {
  try {
    if (typeof headers !== "object" || headers === null) return () => null;
    const { get } = headers as { readonly get?: unknown };
    if (typeof get === "function" && !(headers instanceof Map)) {
      return (name) => {
        try {
          return textOf((get as (name: string) => unknown).call(headers, name));
        } catch {
          return null;
        }
      };
    }
    const iterable = headers as { readonly [Symbol.iterator]?: () => Iterator<unknown> };
    const pairs =
      typeof iterable[Symbol.iterator] === "function" ? (headers as Iterable<unknown>) : Object.entries(headers);
    const byName = new Map<string, string | null>();
    for (const pair of pairs) {
      if (Array.isArray(pair)) byName.set(String(pair[0]).trim().toLowerCase(), textOf(pair[1]));
    }
    return (name) => byName.get(name) ?? null;
  } catch {
    return () => null;
  }
}

function textOf(value: unknown): string | null {
  const text = Array.isArray(value) ? value[0] : value;
  if (typeof text === "number") return String(text);
  // No value that is read here is longer.
  return typeof text === "string" && text.length <= 2_048 ? text.trim() : null;
}
