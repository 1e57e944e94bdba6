import type { Admission } from "./admission/admission.ts";
import type { QuotaForecast } from "./forecast/quota-forecast.ts";
import type { Metrics } from "./metrics.ts";
import type { Provider } from "./provider/provider.ts";
import type { Registry } from "./provider/registry.ts";

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

/** All providers in the order of their declaration, and the counters. */
export function inspect(registry: Registry, admission: Admission, minimumHealth: number, now: number): Inspection {
  const providers = [...registry.providers.values()].map((provider) => inspectProvider(provider, minimumHealth, now));
  const { waiting, counters } = admission;
  return { providers, waiting, oldestLeaseMs: admission.oldestLeaseMs(now), metrics: { ...counters } };
}

function inspectProvider(provider: Provider, minimumHealth: number, now: number): ProviderInspection {
  return {
    name: provider.name,
    state: provider.state(now, minimumHealth),
    health: provider.health.score(now),
    latencyMs: provider.health.latencyMs,
    cooldownMs: provider.cooldownMs(now),
    inFlight: provider.inFlight(now),
    quotas: forecasts(provider, now),
  };
}

/** Every quota of a provider, own ones first, then its pools'. */
export function forecasts(provider: Provider, now: number): QuotaForecast[] {
  return provider.quotas.map((quota) => quota.forecast(now));
}
