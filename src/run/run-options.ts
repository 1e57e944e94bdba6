import type { StatusClass } from "../config/status-class.ts";
import type { Usage } from "../config/usage.ts";
import type { ReportedQuota } from "../observation/observation.ts";

/** What a task ended with: the value that it returned, or what it threw. */
export type TaskResult =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly error: unknown };

/** The end of a lease; `status` default "success", `latencyMs` default measured, `usage` default the last report, else the estimate. */
export interface Settlement {
  status?: StatusClass | number | undefined;
  usage?: Usage | undefined;
  latencyMs?: number | undefined;
  retryAfterMs?: number | undefined;
  reported?: readonly ReportedQuota[] | undefined;
}

/** How `acquire`, `run`, `stream` and `map` wait, try and judge where a call does not say it. */
export interface RunDefaults {
  /** Longest wait for room; default 60_000; 0 never waits; Infinity. */
  maxWaitMs?: number | undefined;
  /** Everything: waiting, attempts, backoff; default none. */
  timeoutMs?: number | undefined;
  /** One attempt (in `stream`: up to the first chunk); default none. */
  attemptTimeoutMs?: number | undefined;
  /** Default: one per provider, at least 2. */
  maxAttempts?: number | undefined;
  /** false: fail over only when the provider certainly did no work; default true. */
  idempotent?: boolean | undefined;
  /** Judges what a task returned or threw; undefined falls back to the built-in rules. */
  classify?: ((result: TaskResult) => StatusClass | number | Settlement | undefined) | undefined;
}
