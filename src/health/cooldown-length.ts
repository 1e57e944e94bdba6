// Length of a cooldown without a stated wait.
//
//   length = base x multiplier^(failed trials), at most the maximum
//
//     failure kind     base = cooldownSeconds                        maximum 60 s
//     rate-limit kind  base = min(cooldownSeconds, shortest window)  maximum 60 s
//     quota_exhausted  base = max(60 s, cooldownSeconds)             maximum 600 s
//
// Regimes: maxCooldownSeconds replaces the maximum. A maximum by default is never less than the base.

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
