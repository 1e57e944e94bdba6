import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GrateLimiter, MockClock } from "../../../src/index.ts";
import { propertyRuns } from "../../support/test-effort.ts";

// A calendar window ends at the first instant of the local date on which the next period starts: the next day, the next
// Monday, or the 1st. The model walks through the minutes with Intl and does not use offsets.

type Period = "day" | "week" | "month";

const PERIODS: readonly Period[] = ["day", "week", "month"];
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Returns the end of the period as a user sees it: the instant at which current usage is released. */
function endOfPeriod(epochMs: number, calendar: Period, timeZone: string): number {
  const limiter = new GrateLimiter({
    clock: new MockClock({ epochMs }),
    providers: [{ name: "p", quotas: [{ dimension: "requests", limit: 9, window: { calendar, timeZone } }] }],
  });
  limiter.observe({ provider: "p", outcome: { status: "success" } });
  return epochMs + limiter.forecast("p")![0]!.nextReleaseInMs!;
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** Returns the local date as a sortable number: 2026-03-08 is the day number of 2026-03-08T00:00Z. */
function localDay(epochMs: number, timeZone: string): number {
  let format = formats.get(timeZone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat("en-US", { timeZone, year: "numeric", month: "numeric", day: "numeric" });
    formats.set(timeZone, format);
  }
  const [month, day, year] = format.format(epochMs).split("/").map(Number);
  return Date.UTC(year!, month! - 1, day!) / DAY;
}

/** Walks to the first minute at which the local date is `day` or later. */
function firstMinuteOf(day: number, timeZone: string): number {
  let at = day * DAY - 15 * HOUR;
  while (localDay(at, timeZone) >= day) at -= HOUR;
  while (localDay(at, timeZone) < day) at += MINUTE;
  return at;
}

function startsPeriod(day: number, period: Period): boolean {
  const date = new Date(day * DAY);
  if (period === "week") return date.getUTCDay() === 1;
  return period === "day" || date.getUTCDate() === 1;
}

/** Walks to the first start of a period after `epochMs`. */
function walkedEnd(epochMs: number, period: Period, timeZone: string): number {
  for (let day = localDay(epochMs, timeZone); ; day++) {
    if (!startsPeriod(day, period)) continue;
    const start = firstMinuteOf(day, timeZone);
    if (start > epochMs) return start;
  }
}

const ZONES = [
  "UTC",
  "America/New_York",
  "Europe/Berlin",
  "Australia/Lord_Howe",
  "Asia/Kolkata",
  "Asia/Kathmandu",
  "Pacific/Apia",
  "America/Sao_Paulo",
  "America/Havana",
  "Pacific/Kiritimati",
  "Pacific/Pago_Pago",
  "Africa/Casablanca",
] as const;

const iso = (epochMs: number): string => new Date(epochMs).toISOString();

describe("the end of a calendar day", () => {
  it.each([
    // Zone, an instant of the day, the end of the day, the special circumstance.
    ["UTC", "2026-06-15T12:00:00.000Z", "2026-06-16T00:00:00.000Z", "an ordinary day"],
    ["UTC", "2026-06-15T00:00:00.000Z", "2026-06-16T00:00:00.000Z", "its first millisecond"],
    ["UTC", "2026-06-15T23:59:59.999Z", "2026-06-16T00:00:00.000Z", "its last millisecond"],
    ["America/New_York", "2026-03-08T05:00:00.000Z", "2026-03-09T04:00:00.000Z", "23 hours"],
    ["America/New_York", "2026-11-01T04:00:00.000Z", "2026-11-02T05:00:00.000Z", "25 hours"],
    ["America/New_York", "2026-11-01T06:30:00.000Z", "2026-11-02T05:00:00.000Z", "the second 01:30"],
    ["Europe/Berlin", "2026-03-28T23:00:00.000Z", "2026-03-29T22:00:00.000Z", "23 hours"],
    ["Europe/Berlin", "2026-10-24T22:00:00.000Z", "2026-10-25T23:00:00.000Z", "25 hours"],
    ["Australia/Lord_Howe", "2026-04-04T13:00:00.000Z", "2026-04-05T13:30:00.000Z", "24 and a half hours"],
    ["Australia/Lord_Howe", "2026-10-03T13:30:00.000Z", "2026-10-04T13:00:00.000Z", "23 and a half hours"],
    ["Asia/Kolkata", "2026-06-15T18:29:59.999Z", "2026-06-15T18:30:00.000Z", "an offset of 5:30"],
    ["Asia/Kathmandu", "2026-06-15T18:15:00.000Z", "2026-06-16T18:15:00.000Z", "an offset of 5:45"],
    ["Pacific/Apia", "2011-12-30T09:59:59.999Z", "2011-12-30T10:00:00.000Z", "the day after was skipped"],
    ["Pacific/Apia", "2011-12-30T10:00:00.000Z", "2011-12-31T10:00:00.000Z", "the day before was skipped"],
    ["America/Sao_Paulo", "2018-11-03T03:00:00.000Z", "2018-11-04T03:00:00.000Z", "the next midnight does not exist"],
    ["America/Sao_Paulo", "2018-11-04T03:00:00.000Z", "2018-11-05T02:00:00.000Z", "it starts at 01:00"],
    ["America/Sao_Paulo", "2018-02-18T02:00:00.000Z", "2018-02-18T03:00:00.000Z", "set back at midnight: 23:00 twice"],
    ["America/Havana", "2026-11-01T04:00:00.000Z", "2026-11-02T05:00:00.000Z", "midnight occurs twice"],
    ["America/Havana", "2026-11-01T04:59:59.999Z", "2026-11-02T05:00:00.000Z", "just before its second midnight"],
    ["America/Havana", "2026-11-01T05:00:00.000Z", "2026-11-02T05:00:00.000Z", "its second midnight"],
  ])("the calendar day in %s at %s ends at %s (%s)", (timeZone, at, end) => {
    expect(iso(endOfPeriod(Date.parse(at), "day", timeZone))).toBe(end);
  });
});

describe("the end of a calendar week and month", () => {
  it.each<[Period, string, string, string, string]>([
    ["week", "UTC", "2026-06-14T23:59:59.999Z", "2026-06-15T00:00:00.000Z", "Sunday is the last day"],
    ["week", "UTC", "2026-06-15T00:00:00.000Z", "2026-06-22T00:00:00.000Z", "Monday is the first"],
    ["week", "UTC", "1969-12-31T12:00:00.000Z", "1970-01-05T00:00:00.000Z", "before the epoch"],
    ["week", "America/New_York", "2026-03-04T12:00:00.000Z", "2026-03-09T04:00:00.000Z", "an hour short"],
    ["week", "Europe/Berlin", "2026-10-19T12:00:00.000Z", "2026-10-25T23:00:00.000Z", "an hour long"],
    ["month", "UTC", "2028-02-28T12:00:00.000Z", "2028-03-01T00:00:00.000Z", "a leap year"],
    ["month", "UTC", "2026-02-28T12:00:00.000Z", "2026-03-01T00:00:00.000Z", "28 days"],
    ["month", "UTC", "2026-12-31T23:59:59.999Z", "2027-01-01T00:00:00.000Z", "the last of the year"],
    [
      "month",
      "America/New_York",
      "2026-11-01T05:30:00.000Z",
      "2026-12-01T05:00:00.000Z",
      "the clock is set back on its 1st",
    ],
    ["month", "Pacific/Apia", "2011-12-01T10:00:00.000Z", "2011-12-31T10:00:00.000Z", "a day is missing"],
    ["month", "Asia/Kathmandu", "2026-01-31T18:15:00.000Z", "2026-02-28T18:15:00.000Z", "local, not UTC, months"],
  ])("the calendar %s in %s at %s ends at %s (%s)", (period, timeZone, at, end) => {
    expect(iso(endOfPeriod(Date.parse(at), period, timeZone))).toBe(end);
  });
});

describe("the end of a period against a walk through the minutes", () => {
  const period = fc.constantFrom(...PERIODS);
  const zone = fc.constantFrom(...ZONES);
  const from = Date.UTC(1980, 0, 1);
  const until = Date.UTC(2036, 0, 1);

  it("any period in any zone ends at the instant that the walk finds", () => {
    fc.assert(
      fc.property(zone, period, fc.integer({ min: from, max: until }), (timeZone, calendar, at) => {
        const end = endOfPeriod(at, calendar, timeZone);
        expect(end).toBeGreaterThan(at);
        expect(iso(end)).toBe(iso(walkedEnd(at, calendar, timeZone)));
      }),
      { numRuns: propertyRuns(300) },
    );
  });

  // Days with a clock change and the days around them, hour by hour.
  it.each([
    ["America/New_York", "2026-03-08"],
    ["America/New_York", "2026-11-01"],
    ["Europe/Berlin", "2026-03-29"],
    ["Europe/Berlin", "2026-10-25"],
    ["Australia/Lord_Howe", "2026-04-05"],
    ["Australia/Lord_Howe", "2026-10-04"],
    ["Pacific/Apia", "2011-12-30"],
    ["America/Sao_Paulo", "2018-02-18"],
    ["America/Sao_Paulo", "2018-11-04"],
    ["America/Havana", "2026-03-08"],
    ["America/Havana", "2026-11-01"],
    ["Africa/Casablanca", "2026-02-15"],
  ])("days in %s end correctly around %s", (timeZone, date) => {
    for (const calendar of PERIODS) {
      for (let at = Date.parse(date) - 36 * HOUR; at < Date.parse(date) + 60 * HOUR; at += 5 * HOUR - 1) {
        const label = `${calendar} of ${iso(at)}`;
        expect(`${label} ends ${iso(endOfPeriod(at, calendar, timeZone))}`).toBe(
          `${label} ends ${iso(walkedEnd(at, calendar, timeZone))}`,
        );
      }
    }
  });

  it("the local date at the end of a period starts the next period, and 1 ms earlier it is another date", () => {
    fc.assert(
      fc.property(zone, period, fc.integer({ min: from, max: until }), (timeZone, calendar, at) => {
        const end = endOfPeriod(at, calendar, timeZone);
        const day = localDay(end, timeZone);
        expect(localDay(end - 1, timeZone)).toBeLessThan(day);
        // If a date was skipped, the period starts on the following day.
        const skipped = day - localDay(end - 1, timeZone) > 1;
        expect(startsPeriod(day, calendar) || (skipped && startsPeriod(day - 1, calendar))).toBe(true);
        // The end is the same just before it, and the next end follows from it on.
        expect(endOfPeriod(end - 1, calendar, timeZone)).toBe(end);
        expect(endOfPeriod(end, calendar, timeZone)).toBeGreaterThan(end);
      }),
      { numRuns: propertyRuns(200) },
    );
  });
});

it("if clocks go back over midnight and a date begins twice, each beginning ends the day before", () => {
  // St. John's at 00:01: the 29th begins, ends for an hour, and begins again; the 30th begins once.
  const beginnings = ["2006-10-29T02:30:00.000Z", "2006-10-29T03:30:00.000Z", "2006-10-30T03:30:00.000Z"];
  for (let at = Date.parse("2006-10-28T12:00Z"); at < Date.parse("2006-10-29T12:00Z"); at += 7 * MINUTE) {
    const end = endOfPeriod(at, "day", "America/St_Johns");
    expect(beginnings).toContain(iso(end));
    expect(end).toBeGreaterThan(at);
  }
});

it("an unknown time zone is rejected", () => {
  const window = { calendar: "day", timeZone: "Mars/Olympus_Mons" } as const;
  const quotas = [{ dimension: "requests", limit: 1, window }] as const;
  expect(() => new GrateLimiter({ providers: [{ name: "p", quotas }] })).toThrow(/timeZone/);
});
