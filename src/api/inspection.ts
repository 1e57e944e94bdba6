import type { DialectName } from "./dialect-name.ts";
import type { Metrics } from "./metrics.ts";
import type { QuotaForecast } from "./quota-forecast.ts";
import type { RefusalReason } from "./refusal.ts";
import type { StoreInspection } from "./store-inspection.ts";

/** Current state of one provider. */
export interface ProviderInspection<P extends string = string> {
  readonly name: P;
  /** Dialect in its configuration; null: none. */
  readonly dialect: DialectName | null;
  /** First that applies of dead, paused, cooldown, trial, unhealthy, ramping, available. */
  readonly state: "available" | "cooldown" | "trial" | "ramping" | "unhealthy" | "dead" | "paused";
  /** Health from 0 to 1. */
  readonly health: number;
  /** Mean latency of successes; null: unknown. */
  readonly latencyMs: number | null;
  /** Remaining milliseconds of the cooldown; 0: none. */
  readonly cooldownMs: number;
  /** Requests in flight. */
  readonly inFlight: number;
  /** Those of which the task still runs although its call timed out or was aborted. */
  readonly abandonedTasks: number;
  /** Own quotas first, then those of the pools. */
  readonly quotas: readonly QuotaForecast[];
}

/** Queued calls with one capability and one fairness key. */
export interface QueueGroup<P extends string = string> {
  readonly capability: string;
  /** null: calls without a key. */
  readonly key: string | null;
  /** Number of its calls. */
  readonly waiting: number;
  /** Wait so far of its call that waits longest. */
  readonly oldestMs: number;
  /** Reasons why its call that is served next waits. */
  readonly waitsFor: readonly RefusalReason<P>[];
}

/** State of the wait queue. */
export interface QueueInspection<P extends string = string> {
  /** Number of queued calls by priority. */
  readonly byPriority: { readonly [priority: string]: number };
  /** The 20 fairness keys with the most queued calls; null: calls without a key. */
  readonly byKey: readonly { readonly key: string | null; readonly waiting: number }[];
  /** The 20 groups of which a call waits longest, the longest wait first. */
  readonly groups: readonly QueueGroup<P>[];
  /** Wait so far of the call that waits longest; null: no call waits. */
  readonly oldestMs: number | null;
  /** By capability: the reasons why the call that is served next waits. */
  readonly waitsFor: { readonly [capability: string]: readonly RefusalReason<P>[] };
}

/** State of a limiter as JSON-safe data. */
export interface Inspection<P extends string = string> {
  readonly providers: readonly ProviderInspection<P>[];
  /** Number of queued calls by capability. */
  readonly waiting: { readonly [capability: string]: number };
  readonly queue: QueueInspection<P>;
  /** Age of the oldest open lease; null: none is open. */
  readonly oldestLeaseMs: number | null;
  /** Null: the limiter has no store. */
  readonly store: StoreInspection | null;
  readonly metrics: Metrics;
}
