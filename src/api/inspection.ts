import type { Metrics } from "./metrics.ts";
import type { QuotaForecast } from "./quota-forecast.ts";

/** One provider as it stands now. */
export interface ProviderInspection<P extends string = string> {
  readonly name: P;
  /** The first that holds of dead, paused, cooldown, trial, unhealthy, ramping, available. */
  readonly state: "available" | "cooldown" | "trial" | "ramping" | "unhealthy" | "dead" | "paused";
  readonly health: number;
  /** null: none known. */
  readonly latencyMs: number | null;
  /** 0: in none. */
  readonly cooldownMs: number;
  readonly inFlight: number;
  /** Own quotas first, then its pools'. */
  readonly quotas: readonly QuotaForecast[];
}

/** Everything a limiter knows, as JSON-safe data. */
export interface Inspection<P extends string = string> {
  readonly providers: readonly ProviderInspection<P>[];
  readonly waiting: { readonly [capability: string]: number };
  readonly oldestLeaseMs: number | null;
  readonly metrics: Metrics;
}
