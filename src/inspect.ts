import type { Admission } from "./admission/admission.ts";
import type { Waiter } from "./admission/waiter.ts";
import type { Dimension } from "./api/dimension.ts";
import type { Inspection, ProviderInspection, QueueInspection } from "./api/inspection.ts";
import type { Metrics } from "./api/metrics.ts";
import type { QuotaForecast } from "./api/quota-forecast.ts";
import type { WindowSpec } from "./api/window.ts";
import type { Provider } from "./provider/provider.ts";
import { quotaKey } from "./quota/quota-spec.ts";
import { quotaForecast } from "./quota/quota-summary.ts";
import { refusalReasonsFor } from "./selection/refusal-reason.ts";

const MAX_KEYS = 20;

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
    const grants = [...admission.leases].flatMap(({ hasEnded, grantedAt }) => (hasEnded ? [] : grantedAt));
    const oldestLeaseMs = grants.length === 0 ? null : now - grants.reduce((a, b) => Math.min(a, b));
    const waiting = admission.waiters.counts;
    const queue = this.#inspectQueue(now);
    const inspection = { providers, waiting, queue, oldestLeaseMs, metrics: { ...admission.counters } };
    admission.endStep();
    return inspection;
  }

  #inspectQueue(now: number): QueueInspection {
    const { waiters, selection } = this.#admission;
    const byPriority = new Map<number, number>();
    const byKey = new Map<string | null, number>();
    const next = new Map<string, Waiter>();
    let oldestMs: number | null = null;
    for (const waiter of waiters) {
      const { priority, capability, since } = waiter;
      const { key = null } = waiter.share;
      byPriority.set(priority, (byPriority.get(priority) ?? 0) + 1);
      byKey.set(key, (byKey.get(key) ?? 0) + 1);
      oldestMs = Math.max(oldestMs ?? 0, now - since);
      const first = next.get(capability);
      if (first === undefined || waiter.isAheadOf(first)) next.set(capability, waiter);
    }
    const waitsFor = [...next].map(([name, { request }]) => {
      const capability = selection.registry.capabilities.get(name);
      return [name, capability ? refusalReasonsFor(capability, request, selection, now, true) : []] as const;
    });
    const keys = [...byKey].map(([key, waiting]) => ({ key, waiting }));
    return {
      byPriority: Object.fromEntries(byPriority),
      byKey: keys.sort((a, b) => b.waiting - a.waiting).slice(0, MAX_KEYS),
      oldestMs,
      waitsFor: Object.fromEntries(waitsFor),
    };
  }
}

function inspectProvider(provider: Provider, minimumHealth: number, now: number): ProviderInspection {
  return {
    name: provider.name,
    dialect: provider.settings.dialect,
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
