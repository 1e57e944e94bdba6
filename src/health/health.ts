import type { StatusClass } from "../config/status-class.ts";

/** How one request ended, as far as it teaches health. */
export interface Outcome {
  readonly status: StatusClass;
  /** null: not told. */
  readonly latencyMs: number | null;
  /** For how long the provider asked to be left alone, from now; null or 0: it did not. */
  readonly retryAfterMs: number | null;
  /** When the provider's own exhausted quota is known to reset; null: unknown. */
  readonly knownResetAt: number | null;
  /** When the request was granted; for a request without a lease, when its end was observed. */
  readonly grantedAt: number;
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
  observe(outcome: Outcome, cooldownSeconds: number, now: number): void;
  /** Ends death, cooldown and bad health. */
  revive(now: number): void;
  /** Ends death alone; true if it was dead. */
  resurrect(): boolean;
}

/** How a status teaches: what it takes from health, and which streak it feeds. */
export type Lesson = "success" | "rate_limit" | "failure" | "death" | "nothing";

/** The lesson of each status class. */
export const LESSONS: { readonly [status in StatusClass]: Lesson } = {
  success: "success",
  client_error: "success",
  rate_limited: "rate_limit",
  quota_exhausted: "rate_limit",
  forbidden: "failure",
  server_error: "failure",
  overloaded: "failure",
  timeout: "failure",
  unauthorized: "death",
  cancelled: "nothing",
};

/** The health option that says what a failing status takes from health. */
export const PENALTIES = {
  rate_limited: "penalty429",
  quota_exhausted: "penalty429",
  forbidden: "penalty403",
  server_error: "penalty5xx",
  overloaded: "penalty5xx",
  timeout: "penaltyTimeout",
} as const;

/** A status that takes something from health. */
export type FailingStatus = keyof typeof PENALTIES;
