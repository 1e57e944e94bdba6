import type { CalendarPeriod } from "../clock/calendar.ts";

/** The four windows that have a name; any other length is `{ seconds }`. */
export const Window = { Second: "second", Minute: "minute", Hour: "hour", Day: "day" } as const;
/** A named rolling window, as its string; `"day"` is any 24 hours. */
export type Window = (typeof Window)[keyof typeof Window];

/** A rolling window, or a calendar period that resets at local midnight (`timeZone` default `"UTC"`). */
export type WindowSpec = Window | { seconds: number } | { calendar: CalendarPeriod; timeZone?: string | undefined };

/** The named windows in milliseconds. */
export const WINDOW_MS: { readonly [W in Window]: number } = {
  second: 1_000,
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
};

/** The length of a rolling window in milliseconds; a calendar period has none: null. */
export function rollingWindowMs(window: WindowSpec): number | null {
  if (typeof window === "string") return WINDOW_MS[window];
  return "seconds" in window ? window.seconds * 1_000 : null;
}

/** Equal for windows that mean the same: by length, or by period and zone. */
export function windowKey(window: WindowSpec | null): string {
  if (window === null) return "none";
  if (typeof window === "object" && "calendar" in window) return `${window.calendar} ${window.timeZone ?? "UTC"}`;
  return `${rollingWindowMs(window)} ms`;
}
