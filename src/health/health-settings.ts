import type { HealthOptions } from "../api/options.ts";
import { omitUndefined } from "../validation/omit-undefined.ts";

/** Health options with all values present. */
export type HealthSettings = { readonly [K in keyof HealthOptions]-?: number };

/** Default of every health option. NaN: without a value of the user, the kind of the failure decides. */
export const HEALTH_DEFAULTS: HealthSettings = {
  decayHalfLifeSeconds: 300,
  penalty429: 0.25,
  penalty403: 0.5,
  penalty5xx: 0.1,
  penaltyTimeout: 0.2,
  boostSuccess: 0.02,
  cooldownTriggerCount: NaN,
  cooldownMultiplier: 2,
  maxCooldownSeconds: NaN,
  recoveredHealth: 0.9,
  ewmaAlpha: 0.3,
  // No health is below 0, so this threshold is off by default.
  cooldownThreshold: 0,
  recheckDeadAfterMs: 600_000,
};

/** Returns the options with all defaults filled in. */
export function healthSettings(options: HealthOptions | undefined, defaults: HealthSettings): HealthSettings {
  return { ...defaults, ...(omitUndefined(options ?? {}) as HealthSettings) };
}
