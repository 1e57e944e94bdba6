import type { CalendarPeriod } from "../api/window.ts";
import { LONGEST_PERIOD_MS, periodEnds } from "./calendar.ts";
import type { EngineTime } from "./engine-time.ts";

/**
 * Resets of fixed windows, on a time line of its own: engine time for windows without a known start, Unix time for windows
 * that follow a wall clock.
 */
export interface ResetSchedule {
  /** Position of the engine time `now` on the time line. */
  positionAt(now: number): number;
  /** First reset after `position`. */
  resetAfter(position: number): number;
  /** Longest time between two resets, in ms. */
  readonly longestMs: number;
  /** Milliseconds after which the position must be read again, because a wall clock can be set and a machine can sleep. */
  readonly reviewMs: number;
  /** True if the resets are those of the provider instead of counted from the first use. */
  readonly isKnown: boolean;
}

const WALL_CLOCK_REVIEW_MS = 60_000;

/** Resets every `windowMs`, first one window after `startMs` (engine time). */
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

/** Resets at the ends of a calendar period in a time zone. */
export function calendarPeriods(period: CalendarPeriod, timeZone: string, time: EngineTime): ResetSchedule {
  return {
    positionAt: (now) => time.epochAt(now),
    resetAfter: periodEnds(period, timeZone),
    longestMs: LONGEST_PERIOD_MS[period],
    reviewMs: WALL_CLOCK_REVIEW_MS,
    isKnown: true,
  };
}

/** First `anchor + k x step` after `position` for a whole number k. Infinity: doubles have no such instant. */
function multipleAfter(position: number, anchor: number, step: number): number {
  const next = anchor + (Math.floor((position - anchor) / step) + 1) * step;
  // The quotient can be rounded up or down.
  const candidates = [next - step, next, next + step];
  return candidates.find((candidate) => candidate > position) ?? Infinity;
}
