// Pressure: how soon a quota runs out, as a penalty on the quota part of the score.
//
//   H        = min(10 s, window / 6)
//   forecast = used - (amount released within H) + burn x H
//   pressure = clamp((forecast - max(used, 0.85 ceiling)) / (0.15 ceiling), 0, 1)
//
//   H: horizon; used: usage now, reservations included; burn: burn rate; ceiling: the limit in force
//
// Regimes: a steady load releases as much as it takes, so its forecast equals its usage now: pressure 0 up to a steady
// 80 %, 0.02 or less at 95 %. A burst that fills the window before anything is released has a pressure near 1. Only growth
// beyond 85 % of the ceiling counts. A full quota has no pressure: it has no remaining amount that a penalty could reduce.
// Source: measured, the future releases are worth more (F1 0.49 against 0.31) than any better estimator.

const LONGEST_HORIZON_MS = 10_000;
/** A forecast up to this share of the ceiling causes no pressure. */
export const CALM_SHARE = 0.85;

/** Horizon of the forecast (ms) for a window of this length (ms). */
export function horizonMs(windowMs: number): number {
  return Math.min(LONGEST_HORIZON_MS, windowMs / 6);
}

/** Pressure from 0 (none) to 1 (about to run out). `forecast` and `used` are amounts; `ceiling` is the limit in force. */
export function pressureOf(forecast: number, used: number, ceiling: number): number {
  if (ceiling <= 0) return 0;
  const excess = forecast - Math.max(used, CALM_SHARE * ceiling);
  return Math.min(1, Math.max(0, excess / ((1 - CALM_SHARE) * ceiling)));
}
