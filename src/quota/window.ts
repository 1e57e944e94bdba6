import type { CalendarPeriod, Window, WindowSpec } from "../api/window.ts";
import { zoneName } from "../clock/calendar.ts";
import { omitUndefined } from "../validation/omit-undefined.ts";

/** The named windows in milliseconds. */
export const WINDOW_MS: { readonly [W in Window]: number } = {
  second: 1_000,
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
};

// Clock instants are finer than this. Lengths that are whole multiples of it add and multiply without rounding.
const GRAINS_PER_MS = 1_024;

/** Length of a rolling window in ms, rounded up to 1/1024 ms. Null: a calendar period, which has no fixed length. */
export function rollingWindowMs(window: WindowSpec): number | null {
  if (typeof window === "string") return WINDOW_MS[window];
  return "seconds" in window ? Math.ceil(window.seconds * 1_000 * GRAINS_PER_MS) / GRAINS_PER_MS : null;
}

/** Returns an immutable copy of the window without undefined keys, so that later changes by the caller have no effect. */
export function ownWindow(window: WindowSpec): WindowSpec {
  if (typeof window === "string") return window;
  return Object.freeze(omitUndefined(window));
}

/** Key that is equal for windows of the same length, or of the same calendar period and zone. Expects an `ownWindow`. */
export function windowKey(window: WindowSpec | null): string {
  if (window === null) return "none";
  if (typeof window === "string" || "seconds" in window) return `${rollingWindowMs(window)} ms`;
  return `${window.calendar} ${zoneName(window.timeZone ?? "UTC")}`;
}

const CALENDAR_DAYS = { day: 1, week: 7, month: 31 } as const;

/** Longest length of a window in ms; of quotas without a window, the time for which reports of their use are remembered. */
export function longestMs(window: WindowSpec | null): number {
  if (window === null) return WINDOW_MS.minute;
  return rollingWindowMs(window) ?? CALENDAR_DAYS[(window as { calendar: CalendarPeriod }).calendar] * WINDOW_MS.day;
}
