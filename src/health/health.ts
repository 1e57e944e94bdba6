import type { HealthSnapshot } from "../api/snapshot.ts";
import type { StatusClass } from "../api/status-class.ts";
import type { HealthSettings } from "./health-settings.ts";

/** Facts about the end of one request that change health. */
export interface Outcome {
  readonly status: StatusClass;
  /** Null: not reported. */
  readonly latencyMs: number | null;
  /** Time from now for which the provider asked not to be called (ms). Null or 0: it did not ask. */
  readonly retryAfterMs: number | null;
  /** Instant of the known reset of the provider's exhausted quota; null: unknown. */
  readonly knownResetAt: number | null;
}

/** Facts of a provider on which the length of a cooldown depends. */
export interface CooldownTerms {
  /** Length of the first cooldown. */
  readonly cooldownSeconds: number;
  /** Longest first cooldown (ms) after a rate limit: the shortest window, or less during a ramp-up. Infinity: none. */
  readonly maxLimitCooldownMs: number;
}

/** Change of a provider by one outcome. "recovered": a trial succeeded. "success": another request did. */
export type HealthChange = "nothing" | "success" | "recovered" | "cooldown" | "lengthened";

/** State of a provider as far as health decides it. */
export type HealthState = "available" | "cooldown" | "trial" | "unhealthy" | "dead";

/** Health, cooldown and latency of one provider. It has no clock: callers pass the instant (ms) to every method. */
export interface Health {
  /** Health score, 0 to 1. */
  score(now: number): number;
  /** Mean latency of successes (ms), in which newer ones have more weight; null: unknown. */
  readonly latencyMs: number | null;
  /** End of the cooldown. -Infinity: there was none since the last recovery. */
  readonly cooldownUntil: number;
  /**
   * Instant from which a request can try the provider in spite of a cooldown. `isOnlyChoice`: no other provider is eligible
   * for the request, so it can probe. -Infinity: there was no cooldown since the last recovery.
   */
  opensAt(isOnlyChoice: boolean): number;
  /** Instant until which the provider itself last asked not to be called; a cooldown ends earlier. -Infinity: it did not ask. */
  readonly statedUntil: number;
  readonly isDead: boolean;
  state(now: number, minimum: number): HealthState;
  /** Milliseconds until time alone raises the score to `minimum`. Infinity: never. */
  healsInMs(minimum: number, now: number): number;
  /** Time alone changes neither the state nor its score before this instant. -Infinity: the score changes at every instant. */
  unchangedUntil(now: number): number;
  /** Updates health after a request that was granted at `grantedAt`. */
  observe(outcome: Outcome, grantedAt: number, terms: CooldownTerms, now: number): HealthChange;
  /** Makes the provider healthy and available: ends a death and a cooldown. */
  revive(now: number): void;
  /** Ends a death and nothing else. Returns true if the provider was dead. */
  clearDead(): boolean;
  /** State for a snapshot; a profile without snapshots has none. */
  save?(now: number): HealthSnapshot;
  /** Sets the state of a new health that was saved at the instant `savedAt`. */
  restore?(saved: HealthSnapshot, savedAt: number): void;
}

/** Effect of a status class: its streak, and the health option with its penalty. */
export interface HealthEffect {
  readonly kind: "success" | "rate_limit" | "failure" | "death" | "nothing";
  readonly penalty: keyof HealthSettings | null;
}

const NOTHING: HealthEffect = { kind: "nothing", penalty: null };
const RATE_LIMIT: HealthEffect = { kind: "rate_limit", penalty: "penalty429" };
const SERVER_ERROR: HealthEffect = { kind: "failure", penalty: "penalty5xx" };

/** Effect of each status class on health. The classic profile reads only the penalty. */
export const HEALTH_EFFECTS: { readonly [status in StatusClass]: HealthEffect } = {
  success: { kind: "success", penalty: null },
  client_error: NOTHING,
  rate_limited: RATE_LIMIT,
  quota_exhausted: RATE_LIMIT,
  forbidden: { kind: "failure", penalty: "penalty403" },
  server_error: SERVER_ERROR,
  overloaded: SERVER_ERROR,
  timeout: { kind: "failure", penalty: "penaltyTimeout" },
  unauthorized: { kind: "death", penalty: null },
  unsuitable: NOTHING,
  cancelled: NOTHING,
};
