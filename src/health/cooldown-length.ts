// Length of a cooldown without a stated wait.
//
//   length = base x multiplier^(failed trials), at most the maximum
//
// Regimes: the maximum is maxCooldownSeconds if that is set; otherwise 60 s, 600 s after quota_exhausted, and never less than base.

import type { HealthSettings } from "./health-settings.ts";

const MAX_MS = 60_000;
const MAX_EXHAUSTED_MS = 600_000;

/** Length of a cooldown (ms). */
export function cooldownLengthMs(
  baseMs: number,
  isExhausted: boolean,
  failedTrials: number,
  { cooldownMultiplier, maxCooldownSeconds }: HealthSettings,
): number {
  const growth = Math.min(Math.max(1, cooldownMultiplier) ** failedTrials, Number.MAX_VALUE);
  const byDefault = Math.max(baseMs, isExhausted ? MAX_EXHAUSTED_MS : MAX_MS);
  const maxMs = maxCooldownSeconds >= 0 ? maxCooldownSeconds * 1_000 : byDefault;
  return Math.min(baseMs * growth, maxMs, Number.MAX_SAFE_INTEGER);
}
