/** Calendar period that starts at local midnight: a day, a week from Monday, or a month from the 1st. */
export type CalendarPeriod = "day" | "week" | "month";

/** Named rolling windows. `{ seconds }` expresses any other length. */
export const Window = { Second: "second", Minute: "minute", Hour: "hour", Day: "day" } as const;
/** Named rolling window, as a string; `"day"` is any 24 hours. */
export type Window = (typeof Window)[keyof typeof Window];

/** Rolling window, or calendar period that resets at local midnight (default of `timeZone`: `"UTC"`). */
export type WindowSpec = Window | { seconds: number } | { calendar: CalendarPeriod; timeZone?: string | undefined };
