import type { HealthOptions } from "../api/options.ts";
import { omitUndefined } from "../validation/omit-undefined.ts";

/** Health options, complete. */
export type HealthSettings = { readonly [K in keyof HealthOptions]-?: number };

/** The defaults of every health option. */
export const HEALTH_DEFAULTS: HealthSettings = {
  decayHalfLifeSeconds: 300,
  penalty429: 0.25,
  penalty403: 0.5,
  penalty5xx: 0.1,
  penaltyTimeout: 0.2,
  boostSuccess: 0.02,
  cooldownTriggerCount: 3,
  cooldownMultiplier: 2,
  maxCooldownSeconds: 600,
  recoveredHealth: 0.9,
  ewmaAlpha: 0.3,
  // No health is below 0: off.
  cooldownThreshold: 0,
};

/** The options with every default filled in. */
export function healthSettings(options: HealthOptions = {}): HealthSettings {
  return { ...HEALTH_DEFAULTS, ...(omitUndefined(options) as HealthSettings) };
}
