import type { Admission } from "./admission/admission.ts";
import type { Dimension } from "./api/dimension.ts";
import type { Inspection, ProviderInspection } from "./api/inspection.ts";
import type { Metrics } from "./api/metrics.ts";
import type { QuotaForecast } from "./api/quota-forecast.ts";
import type { WindowSpec } from "./api/window.ts";
import type { Provider } from "./provider/provider.ts";
import { quotaKey } from "./quota/quota-spec.ts";
import { quotaForecast } from "./quota/quota-summary.ts";

/** Queries about the state of one limiter. */
export class Inspector {
  readonly #admission: Admission;

  constructor(admission: Admission) {
    this.#admission = admission;
  }

  /** Answer of `query` about the current state of a provider; null: no such provider. */
  read<T>(name: string, query: (provider: Provider, now: number) => T): T | null {
    const { registry, events } = this.#admission.selection;
    const provider = registry.providers.get(name);
    if (provider === undefined) return null;
    const now = this.#admission.beginStep();
    provider.emitEndedCooldown(events, now);
    const answer = query(provider, now);
    this.#admission.endStep();
    return answer;
  }

  /** Amount that can be granted now; null: no such provider or quota. */
  remaining(provider: string, dimension: Dimension, window: WindowSpec | undefined): number | null {
    const { profile } = this.#admission;
    const key = window === undefined ? null : quotaKey(dimension, window);
    return this.read(provider, ({ quotas }, now) => {
      const asked = quotas.filter(({ spec }) => spec.dimension === dimension && (key === null || spec.key === key));
      return asked.length === 0 ? null : profile.remaining(asked, now);
    });
  }

  /** Copy of the counters, leases that have expired by now included. */
  metrics(): Metrics {
    this.#admission.beginStep();
    this.#admission.endStep();
    return { ...this.#admission.counters };
  }

  /** State of all providers, in the order of their declaration, of the wait queue, and the counters. */
  inspect(): Inspection {
    const admission = this.#admission;
    const now = admission.beginStep();
    const { registry, events, minimumHealth } = admission.selection;
    const known = [...registry.providers.values()];
    for (const provider of known) provider.emitEndedCooldown(events, now);
    const providers = known.map((provider) => inspectProvider(provider, minimumHealth, now));
    const oldestLeaseMs = admission.oldestLeaseMs(now);
    const inspection = { providers, waiting: admission.waiting, oldestLeaseMs, metrics: { ...admission.counters } };
    admission.endStep();
    return inspection;
  }
}

function inspectProvider(provider: Provider, minimumHealth: number, now: number): ProviderInspection {
  return {
    name: provider.name,
    state: provider.state(now, minimumHealth),
    health: provider.health.score(now),
    latencyMs: provider.health.latencyMs,
    cooldownMs: provider.cooldownMs(now),
    inFlight: provider.inFlight(now),
    abandonedTasks: provider.abandonedTasks,
    quotas: forecastsOf(provider, now),
  };
}

/** Forecasts of a provider's own quotas, then of those of its pools. */
export function forecastsOf(provider: Provider, now: number): QuotaForecast[] {
  return provider.quotas.map((quota) => quotaForecast(quota, now));
}
