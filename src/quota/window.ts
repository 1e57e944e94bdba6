import type { Window, WindowSpec } from "../api/window.ts";
import { zoneName } from "../clock/calendar.ts";
import { omitUndefined } from "../validation/omit-undefined.ts";

/** The named windows in milliseconds. */
export const WINDOW_MS: { readonly [W in Window]: number } = {
  second: 1_000,
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
};

// Instants of clocks are finer than this; lengths that are whole multiples of it add and multiply without rounding.
const GRAINS_PER_MS = 1_024;

/** The length of a rolling window in ms, rounded up to 1/1024 ms; a calendar period has none: null. */
export function rollingWindowMs(window: WindowSpec): number | null {
  if (typeof window === "string") return WINDOW_MS[window];
  return "seconds" in window ? Math.ceil(window.seconds * 1_000 * GRAINS_PER_MS) / GRAINS_PER_MS : null;
}

/** The same window as plain data of our own, without keys that are undefined. */
export function ownWindow(window: WindowSpec): WindowSpec {
  if (typeof window === "string") return window;
  return Object.freeze(omitUndefined(window));
}

/** Equal for windows that mean the same: by length, or by period and zone. Of `ownWindow`'s making. */
export function windowKey(window: WindowSpec | null): string {
  if (window === null) return "none";
  if (typeof window === "string" || "seconds" in window) return `${rollingWindowMs(window)} ms`;
  return `${window.calendar} ${zoneName(window.timeZone ?? "UTC")}`;
}
