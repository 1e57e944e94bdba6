import type { Admission } from "./admission/admission.ts";
import type { Inspection, ProviderInspection } from "./api/inspection.ts";
import type { QuotaForecast } from "./api/quota-forecast.ts";
import type { Provider } from "./provider/provider.ts";
import type { Registry } from "./provider/registry.ts";
import { quotaForecast } from "./quota/quota-summary.ts";

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
  return provider.quotas.map((quota) => quotaForecast(quota, now));
}
