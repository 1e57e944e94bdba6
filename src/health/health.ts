import type { StatusClass } from "../api/status-class.ts";
import type { HealthSettings } from "./health-settings.ts";

/** How one request ended, as far as it teaches health. */
export interface Outcome {
  readonly status: StatusClass;
  /** null: not told. */
  readonly latencyMs: number | null;
  /** For how long the provider asked to be left alone, from now; null or 0: it did not. */
  readonly retryAfterMs: number | null;
  /** When the provider's own exhausted quota is known to reset; null: unknown. */
  readonly knownResetAt: number | null;
}

/** What a provider's health lets it do. */
export type HealthState = "available" | "cooldown" | "trial" | "unhealthy" | "dead";

/**
 * One provider's health, cooldown and latency. It knows no clock: every method is told the instant (ms).
 * `cooldownSeconds` is the length of the provider's first cooldown.
 */
export interface Health {
  /** 0 to 1. */
  score(now: number): number;
  /** Mean of the latencies of successes (ms), newest weighing most; null: none known. */
  readonly latencyMs: number | null;
  /** End of the current or the last cooldown; -Infinity: there was none. */
  readonly cooldownUntil: number;
  readonly isDead: boolean;
  state(now: number, minimum: number): HealthState;
  /** In how many ms time alone heals it to `minimum`; Infinity: never. */
  healsInMs(minimum: number, now: number): number;
  /** Until when time alone changes neither the state nor the score that counts in it; an instant that has passed: at every instant. */
  steadyUntil(now: number): number;
  /**
   * Learns from a request granted at `grantedAt`; without a lease, that is the instant of the observation. True if the
   * request was a trial that succeeded.
   */
  observe(outcome: Outcome, grantedAt: number, cooldownSeconds: number, now: number): boolean;
  /** Ends death, cooldown and bad health. */
  revive(now: number): void;
  /** Ends death alone; true if it was dead. */
  clearDead(): boolean;
}

/** What a status teaches: which streak it feeds, and the health option that says what it takes from health. */
export interface HealthEffect {
  readonly kind: "success" | "rate_limit" | "failure" | "death" | "nothing";
  readonly penalty: keyof HealthSettings | null;
}

const SUCCESS: HealthEffect = { kind: "success", penalty: null };
const RATE_LIMIT: HealthEffect = { kind: "rate_limit", penalty: "penalty429" };
const SERVER_ERROR: HealthEffect = { kind: "failure", penalty: "penalty5xx" };

/** The lesson of each status class. */
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
