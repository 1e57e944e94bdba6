// End of a calendar period: the first instant of the local date on which the next period starts (tomorrow, the next Monday, or
// the 1st of the next month).
//
//   date(t) = days since 1970-01-01 that clocks of the zone show at instant t (Unix ms)
//   end     = first t with date(t) >= start of the next period
//
// Regimes: local dates do not go back, so bisection finds the end to the millisecond. It is local midnight on ordinary days,
// the jump if clocks are set forward over midnight (or over a whole day, as in Samoa), and the first midnight if there are
// two. Exception: if clocks are set back from just after midnight to the day before (Newfoundland until 2011), a date begins
// twice, and the result is either beginning.
// Source of local time: the zone data of the runtime, through Intl.DateTimeFormat.
import type { CalendarPeriod } from "../api/window.ts";

const DAY_MS = 86_400_000;
// 1970-01-01 was a Thursday, three days after a Monday.
const THURSDAY = 3;

/** Longest duration of a period in ms, changes of the clocks and of the date line included. */
export const LONGEST_PERIOD_MS: { readonly [period in CalendarPeriod]: number } = {
  day: 2 * DAY_MS,
  week: 8 * DAY_MS,
  month: 32 * DAY_MS,
};

// The runtime formats years of four digits as in ISO 8601.
const FIRST_YEAR_MS = Date.UTC(1001, 0);
const LAST_YEAR_MS = Date.UTC(9999, 0);

/**
 * Returns the function that finds the end of the calendar period of an instant, whole Unix ms and always later than the
 * instant; Infinity outside the years 1001 to 9998, which only a wrong clock can show. A search formats about thirty dates,
 * so the function keeps the last two periods: the current one, and the one after it.
 */
export function periodEnds(period: CalendarPeriod, timeZone: string): (epochMs: number) => number {
  const dateAt = dateIn(timeZone);
  let known: readonly { readonly from: number; readonly end: number }[] = [];
  return (epochMs) => {
    const found = known.find(({ from, end }) => epochMs >= from && epochMs < end);
    if (found !== undefined) return found.end;
    const end = endOfPeriod(epochMs, period, dateAt);
    known = [{ from: epochMs, end }, ...known.slice(0, 1)];
    return end;
  };
}

function endOfPeriod(epochMs: number, period: CalendarPeriod, dateAt: (epochMs: number) => number): number {
  if (!(epochMs > FIRST_YEAR_MS && epochMs < LAST_YEAR_MS)) return Infinity;
  let low = Math.floor(epochMs);
  const next = nextStart(dateAt(low), period);
  let high = low + LONGEST_PERIOD_MS[period];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (dateAt(middle) < next) low = middle;
    else high = middle;
  }
  return high;
}

/** True for a time zone that the runtime knows. */
export function isZone(timeZone: string): boolean {
  try {
    zoneName(timeZone);
    return true;
  } catch {
    return false;
  }
}

/** Canonical name of a time zone, equal for all its spellings. Throws RangeError for an unknown zone. */
export function zoneName(timeZone: string): string {
  return new Intl.DateTimeFormat("sv-SE", { timeZone }).resolvedOptions().timeZone;
}

/** Date on which the next period after `date` starts. */
function nextStart(date: number, period: CalendarPeriod): number {
  if (period === "day") return date + 1;
  if (period === "week") return date + 7 - ((((date + THURSDAY) % 7) + 7) % 7);
  const day = new Date(date * DAY_MS);
  return Date.UTC(day.getUTCFullYear(), day.getUTCMonth() + 1) / DAY_MS;
}

/** Function that returns the local date at an instant. Throws RangeError for an unknown zone. */
function dateIn(timeZone: string): (epochMs: number) => number {
  // The Swedish format is that of ISO 8601.
  const format = new Intl.DateTimeFormat("sv-SE", { timeZone, year: "numeric", month: "2-digit", day: "2-digit" });
  return (epochMs) => Date.parse(format.format(epochMs)) / DAY_MS;
}
