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

/** State of a provider as far as health decides it. */
export type HealthState = "available" | "cooldown" | "trial" | "unhealthy" | "dead";

/**
 * Health, cooldown and latency of one provider. It has no clock: callers pass the instant (ms) to every method.
 * `cooldownSeconds` is the length of the provider's first cooldown.
 */
export interface Health {
  /** Health score, 0 to 1. */
  score(now: number): number;
  /** Mean latency of successes (ms), in which newer ones have more weight; null: unknown. */
  readonly latencyMs: number | null;
  /** End of the current or the last cooldown. -Infinity: there was none. */
  readonly cooldownUntil: number;
  readonly isDead: boolean;
  state(now: number, minimum: number): HealthState;
  /** Milliseconds until time alone raises the score to `minimum`. Infinity: never. */
  healsInMs(minimum: number, now: number): number;
  /** Time alone changes neither the state nor its score before this instant. -Infinity: the score changes at every instant. */
  unchangedUntil(now: number): number;
  /**
   * Updates health after a request that was granted at `grantedAt` (without a lease: the instant of the observation).
   * Returns true if the request was a trial that succeeded.
   */
  observe(outcome: Outcome, grantedAt: number, cooldownSeconds: number, now: number): boolean;
  /** Makes the provider healthy and available: ends a death and a cooldown. */
  revive(now: number): void;
  /** Ends a death and nothing else. Returns true if the provider was dead. */
  clearDead(): boolean;
}

/** Effect of a status class: its streak, and the health option with its penalty. */
export interface HealthEffect {
  readonly kind: "success" | "rate_limit" | "failure" | "death" | "nothing";
  readonly penalty: keyof HealthSettings | null;
}

const SUCCESS: HealthEffect = { kind: "success", penalty: null };
const RATE_LIMIT: HealthEffect = { kind: "rate_limit", penalty: "penalty429" };
const SERVER_ERROR: HealthEffect = { kind: "failure", penalty: "penalty5xx" };

/** Effect of each status class on health. */
export const HEALTH_EFFECTS: { readonly [status in StatusClass]: HealthEffect } = {
  success: SUCCESS,
  client_error: SUCCESS,
  rate_limited: RATE_LIMIT,
  quota_exhausted: RATE_LIMIT,
  forbidden: { kind: "failure", penalty: "penalty403" },
  server_error: SERVER_ERROR,
  overloaded: SERVER_ERROR,
  timeout: { kind: "failure", penalty: "penaltyTimeout" },
  unauthorized: { kind: "death", penalty: null },
  cancelled: { kind: "nothing", penalty: null },
};
