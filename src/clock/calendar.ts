// When does a calendar period end? At the first instant of the local date on which the next one starts:
// tomorrow, the next Monday, or the 1st of the next month, in the zone's own calendar.
//
//   date(t) = days since 1970-01-01 that the zone's clocks show at instant t (Unix ms)
//   end     = the first t with date(t) >= start of the next period
//
// Regimes: local dates never go back, so that halving the span in which the date changes finds the end to the
// millisecond: at local midnight on ordinary days, at the jump where clocks are set forward over midnight (or over a whole
// day, as in Samoa), at the first midnight where there are two. Only where clocks were set back from just after midnight
// to the day before (Newfoundland until 2011) does a date begin twice; there, either beginning may be taken.
// Source of local time: the runtime's own zone data, through Intl.DateTimeFormat.
import type { CalendarPeriod } from "../api/window.ts";

const DAY_MS = 86_400_000;
// 1970-01-01 was a Thursday, three days after a Monday.
const THURSDAY = 3;

/** The longest that a period can last, in ms: with the hours that clocks are set back, or a date line is crossed. */
export const LONGEST_PERIOD_MS: { readonly [period in CalendarPeriod]: number } = {
  day: 2 * DAY_MS,
  week: 8 * DAY_MS,
  month: 32 * DAY_MS,
};

// Years of four digits, which is what the runtime writes as ISO 8601 does.
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

/** True for a zone that the runtime knows. */
export function isZone(timeZone: string): boolean {
  try {
    zoneName(timeZone);
    return true;
  } catch {
    return false;
  }
}

/** The zone's canonical name, the same for all its spellings. Throws RangeError for an unknown zone. */
export function zoneName(timeZone: string): string {
  return new Intl.DateTimeFormat("sv-SE", { timeZone }).resolvedOptions().timeZone;
}

/** The date on which the period after that of `date` starts. */
function nextStart(date: number, period: CalendarPeriod): number {
  if (period === "day") return date + 1;
  if (period === "week") return date + 7 - ((((date + THURSDAY) % 7) + 7) % 7);
  const day = new Date(date * DAY_MS);
  return Date.UTC(day.getUTCFullYear(), day.getUTCMonth() + 1) / DAY_MS;
}

/** The date that a zone's clocks show at an instant. Throws RangeError for an unknown zone. */
function dateIn(timeZone: string): (epochMs: number) => number {
  // Swedes write dates as ISO 8601 does.
  const format = new Intl.DateTimeFormat("sv-SE", { timeZone, year: "numeric", month: "2-digit", day: "2-digit" });
  return (epochMs) => Date.parse(format.format(epochMs)) / DAY_MS;
}
