/** A calendar period that starts at local midnight; weeks start on Monday, months on the 1st. */
export type CalendarPeriod = "day" | "week" | "month";

/** The four windows that have a name; any other length is `{ seconds }`. */
export const Window = { Second: "second", Minute: "minute", Hour: "hour", Day: "day" } as const;
/** A named rolling window, as its string; `"day"` is any 24 hours. */
export type Window = (typeof Window)[keyof typeof Window];

/** A rolling window, or a calendar period that resets at local midnight (`timeZone` default `"UTC"`). */
export type WindowSpec = Window | { seconds: number } | { calendar: CalendarPeriod; timeZone?: string | undefined };
