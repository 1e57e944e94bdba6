// When does a calendar period end? At the first instant of the local date on which the next one starts:
// tomorrow, the next Monday, or the 1st of the next month, in the zone's own calendar.
//
//   dates: days since 1970-01-01 (a date has no zone); instants: Unix ms
//   local(t) = t + offset(t)            offset in ms, positive to the east
//   start(d) = the first t with date(local(t)) >= d
//
// Regimes: an ordinary day starts at local midnight. Where the clock jumps forward over midnight (or over a whole day,
// as Samoa did), the date starts at the jump. Where it is set back over midnight, the date starts twice; the first counts.
// Source of offsets: the runtime's own zone data, through Intl.DateTimeFormat.
import type { CalendarPeriod } from "../config/window.ts";

const DAY_MS = 86_400_000;
// Zones are at most 14 hours from UTC to the east and 12 to the west; a day of slack covers every shift between them.
const REACH_MS = 2 * DAY_MS;
// 1970-01-01 was a Thursday.
const THURSDAY = 3;

/** The longest that a period can last, in ms: with the hours that clocks are set back, or a date line is crossed. */
export const LONGEST_PERIOD_MS: { readonly [period in CalendarPeriod]: number } = {
  day: 2 * DAY_MS,
  week: 8 * DAY_MS,
  month: 32 * DAY_MS,
};

/** The end of the calendar period that `epochMs` falls into: always later than `epochMs`, Unix ms. */
export function endOfPeriod(epochMs: number, period: CalendarPeriod, timeZone: string): number {
  const zone = zoneOf(timeZone);
  const today = dateOf(epochMs + zone.offset(epochMs));
  let next = nextStart(today, period);
  let start = startOfDate(next, zone);
  // Where a date starts twice, the second hour of it may already belong to the period after the one that starts.
  while (start <= epochMs) {
    next = nextStart(next, period);
    start = startOfDate(next, zone);
  }
  return start;
}

/** True for a zone that the runtime knows. */
export function isZone(timeZone: string): boolean {
  try {
    zoneOf(timeZone);
    return true;
  } catch {
    return false;
  }
}

function dateOf(localMs: number): number {
  return Math.floor(localMs / DAY_MS);
}

/** The date on which the period after that of `date` starts. */
function nextStart(date: number, period: CalendarPeriod): number {
  if (period === "day") return date + 1;
  if (period === "week") {
    const weekday = (((date + THURSDAY) % 7) + 7) % 7;
    return date + 7 - weekday;
  }
  const day = new Date(date * DAY_MS);
  return dateOf(Date.UTC(day.getUTCFullYear(), day.getUTCMonth() + 1, 1));
}

/** The first instant at which the local date is `date`, or a later one where the zone skipped it. */
function startOfDate(date: number, zone: Zone): number {
  const midnight = date * DAY_MS;
  let low = midnight - REACH_MS;
  let high = midnight + REACH_MS;
  const offsets = new Set([zone.offset(low), zone.offset(midnight), zone.offset(high)]);
  const reached = (t: number) => dateOf(t + zone.offset(t)) >= date;
  const candidates = [...offsets].map((offset) => midnight - offset).sort((a, b) => a - b);
  const ordinary = candidates.find((t) => reached(t) && !reached(t - 1));
  if (ordinary !== undefined) return ordinary;
  // The clock jumped over this midnight: the date begins with the jump.
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (reached(middle)) high = middle;
    else low = middle;
  }
  return high;
}

interface Zone {
  /** What must be added to Unix ms to read the local clock as if it were UTC. */
  offset(epochMs: number): number;
}

const UTC: Zone = { offset: () => 0 };

function zoneOf(timeZone: string): Zone {
  if (timeZone === "UTC") return UTC;
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone,
    calendar: "gregory",
    numberingSystem: "latn",
    hourCycle: "h23",
    era: "short",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  return { offset: (epochMs) => localAsUtc(format, epochMs) - Math.floor(epochMs / 1_000) * 1_000 };
}

function localAsUtc(format: Intl.DateTimeFormat, epochMs: number): number {
  const fields: { [type: string]: string } = {};
  for (const { type, value } of format.formatToParts(epochMs)) fields[type] = value;
  const { year, month, day, hour, minute, second, era } = fields as { [type: string]: string };
  const date = new Date(0);
  // setUTCFullYear, for Date.UTC reads the years 0 to 99 as 1900 to 1999.
  date.setUTCFullYear(era?.startsWith("B") ? 1 - Number(year) : Number(year), Number(month) - 1, Number(day));
  return date.setUTCHours(Number(hour), Number(minute), Number(second));
}
