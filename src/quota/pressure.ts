// Whether a quota will run out soon, as a penalty on the part of the score that stands for it.
//
//   H        = min(10 s, window / 6)
//   forecast = used - (what is released within H) + burn x H
//   pressure = clamp((forecast - max(used, 0.85 ceiling)) / (0.15 ceiling), 0, 1)
//
// Regimes: a steady load releases as much as it takes, so that its forecast is what is used now: pressure 0 up to a
// steady 80 %, 0.02 or less at 95 %. A burst that will fill the window before it releases anything is near 1. What
// counts is growth beyond 85 % of the ceiling; a quota that is full already is not under pressure, it has no room.
// Source: measured, knowing what will be released is worth more (F1 0.49 against 0.31) than any better estimator.

const LONGEST_HORIZON_MS = 10_000;
/** Up to this share of the ceiling there is none. */
export const CALM_SHARE = 0.85;

/** How far ahead pressure looks in a window of this length (ms). */
export function horizonMs(windowMs: number): number {
  return Math.min(LONGEST_HORIZON_MS, windowMs / 6);
}

/** 0 calm to 1 running out; `forecast` and `used` are amounts, `ceiling` the limit in force. */
export function pressureOf(forecast: number, used: number, ceiling: number): number {
  if (ceiling <= 0) return 0;
  const excess = forecast - Math.max(used, CALM_SHARE * ceiling);
  return Math.min(1, Math.max(0, excess / ((1 - CALM_SHARE) * ceiling)));
}
