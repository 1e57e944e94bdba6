import type { EngineTime } from "../clock/engine-time.ts";
import { read } from "./read.ts";

// What HTTP calls an IMF-fixdate, the one form of a date that servers may send: "Wed, 14 Oct 2026 15:05:35 GMT".
const HTTP_DATE = /^\w{3}, (\d\d) (\w{3}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT$/;
const MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec";
// From 1 March of the year 0 to 1970-01-01.
const DAYS_TO_1970 = 719_468;

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
  const at = epochOf(told);
  return at === undefined
    ? undefined
    : Math.max(0, at - (epochOf(header(headers, "date")) ?? time.epochAt(time.read())));
}

/** A header by its name in lower case, of whatever clients keep headers in: Headers, a Map, pairs, a plain object. */
function header(headers: unknown, name: string): string | undefined {
  if (typeof headers !== "object" || headers === null) return undefined;
  const get = read(headers, "get");
  const told: unknown = typeof get === "function" ? get.call(headers, name) : undefined;
  if (told !== undefined && told !== null) return String(told).trim();
  const pairs = (Symbol.iterator in headers ? headers : Object.entries(headers)) as Iterable<readonly unknown[]>;
  for (const [key, value] of pairs) if (String(key).toLowerCase() === name) return String(value).trim();
  return undefined;
}

function amount(told: string | undefined): number | undefined {
  return told !== undefined && /^\d+(\.\d+)?$/.test(told) ? Number(told) : undefined;
}

function epochOf(date: string | undefined): number | undefined {
  const [, day, month, year, hours, minutes, seconds] = HTTP_DATE.exec(date ?? "") ?? [];
  const place = MONTHS.indexOf(month ?? "-") / 3;
  if (!Number.isInteger(place)) return undefined;
  // Years that start in March end with the leap day.
  const months = (place + 10) % 12;
  const years = Number(year) - Number(months > 9);
  const leapDays = Math.floor(years / 4) - Math.floor(years / 100) + Math.floor(years / 400);
  const days = years * 365 + leapDays + Math.floor((months * 153 + 2) / 5) + Number(day) - 1 - DAYS_TO_1970;
  return (((days * 24 + Number(hours)) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1_000;
}
