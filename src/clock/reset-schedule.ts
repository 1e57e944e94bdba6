import type { CalendarPeriod } from "../api/window.ts";
import { LONGEST_PERIOD_MS, periodEnds } from "./calendar.ts";
import type { EngineTime } from "./engine-time.ts";

/**
 * When fixed windows reset, on a time line of its own: engine time for windows that just started somewhere, Unix time
 * for those that a wall clock rules.
 */
export interface ResetSchedule {
  /** Where on the time line engine time `now` is. */
  positionAt(now: number): number;
  /** The first reset after `position`. */
  resetAfter(position: number): number;
  /** No two resets are further apart, in ms. */
  readonly longestMs: number;
  /** After how many ms to look at the time line again: a wall clock may have been set, or the machine asleep. */
  readonly reviewMs: number;
  /** True where the resets are the provider's own, and not just counted from when we began. */
  readonly isKnown: boolean;
}

const WALL_CLOCK_REVIEW_MS = 60_000;

/** Resets every `windowMs`, the first one a window after `startMs` (engine time). */
export function everyWindow(startMs: number, windowMs: number): ResetSchedule {
  return {
    positionAt: (now) => now,
    resetAfter: (position) => multipleAfter(position, startMs, windowMs),
    longestMs: windowMs,
    reviewMs: Infinity,
    isKnown: false,
  };
}

/** Resets every `windowMs`, one of them at `resetEpochMs` (Unix ms, past or future). */
export function alignedWindows(resetEpochMs: number, windowMs: number, time: EngineTime): ResetSchedule {
  return {
    positionAt: (now) => time.epochAt(now),
    resetAfter: (position) => multipleAfter(position, resetEpochMs, windowMs),
    longestMs: windowMs,
    reviewMs: WALL_CLOCK_REVIEW_MS,
    isKnown: true,
  };
}

/** Resets where a calendar period ends in a time zone. */
export function calendarPeriods(period: CalendarPeriod, timeZone: string, time: EngineTime): ResetSchedule {
  return {
    positionAt: (now) => time.epochAt(now),
    resetAfter: periodEnds(period, timeZone),
    longestMs: LONGEST_PERIOD_MS[period],
    reviewMs: WALL_CLOCK_REVIEW_MS,
    isKnown: true,
  };
}

/** The first `anchor + k x step` after `position`, k any whole number; Infinity where a double has no such instant. */
function multipleAfter(position: number, anchor: number, step: number): number {
  const next = anchor + (Math.floor((position - anchor) / step) + 1) * step;
  // The quotient may round either way.
  const candidates = [next - step, next, next + step];
  return candidates.find((candidate) => candidate > position) ?? Infinity;
}
