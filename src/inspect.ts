import type { Admission } from "./admission/admission.ts";
import type { Waiter } from "./admission/waiter.ts";
import type { Dimension } from "./api/dimension.ts";
import type { Inspection, ProviderInspection, QueueInspection } from "./api/inspection.ts";
import type { Metrics } from "./api/metrics.ts";
import type { QuotaForecast } from "./api/quota-forecast.ts";
import type { LimiterSnapshot } from "./api/snapshot.ts";
import type { WindowSpec } from "./api/window.ts";
import type { EngineTime } from "./clock/engine-time.ts";
import type { Provider } from "./provider/provider.ts";
import { quotaKey } from "./quota/quota-spec.ts";
import { quotaForecast } from "./quota/quota-summary.ts";
import { refusalReasonsFor } from "./selection/refusal-reason.ts";
import { saveSnapshot } from "./snapshot/save-snapshot.ts";
import { snapshotCall, validate } from "./validation/schemas.ts";

const MAX_KEYS = 20;

/** Queries about the state of one limiter. */
export class Inspector {
  readonly #admission: Admission;
  readonly #time: EngineTime;

  constructor(admission: Admission, time: EngineTime) {
    this.#admission = admission;
    this.#time = time;
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
    const store = admission.fleet?.inspect(now) ?? null;
    const inspection = { providers, waiting, queue, oldestLeaseMs, store, metrics: { ...admission.counters } };
    admission.endStep();
    return inspection;
  }

  /** State for a later process. Throws InvalidConfig in a profile without snapshots. */
  snapshot(): LimiterSnapshot {
    const { registry, profile } = this.#admission.selection;
    validate(snapshotCall, null, profile.vocabulary);
    const snapshot = saveSnapshot(registry, this.#time, this.#admission.beginStep());
    this.#admission.endStep();
    return snapshot;
  }

  #inspectQueue(now: number): QueueInspection {
    const { waiters, selection } = this.#admission;
    const byPriority = new Map<number, number>();
    const byKey = new Map<string | null, number>();
    const byCapability = new Map<string, Map<string | null, Group>>();
    for (const waiter of waiters) {
      const { priority, capability, since } = waiter;
      const { key = null } = waiter.share;
      byPriority.set(priority, (byPriority.get(priority) ?? 0) + 1);
      byKey.set(key, (byKey.get(key) ?? 0) + 1);
      let ofCapability = byCapability.get(capability);
      if (ofCapability === undefined) {
        ofCapability = new Map();
        byCapability.set(capability, ofCapability);
      }
      const group = ofCapability.get(key);
      if (group === undefined) ofCapability.set(key, { capability, key, waiting: 1, since, next: waiter });
      else {
        group.waiting++;
        group.since = Math.min(group.since, since);
        if (waiter.isAheadOf(group.next)) group.next = waiter;
      }
    }
    const reasons = ({ capability: name, request }: Waiter) => {
      const capability = selection.registry.capabilities.get(name);
      return capability ? refusalReasonsFor(capability, request, selection, now, true) : [];
    };
    const waitsFor = [...byCapability].map(([name, groups]) => {
      const nexts = [...groups.values()].map(({ next }) => next);
      return [name, reasons(nexts.reduce((first, next) => (next.isAheadOf(first) ? next : first)))] as const;
    });
    const keys = [...byKey].map(([key, waiting]) => ({ key, waiting }));
    const groups = [...byCapability.values()].flatMap((ofCapability) => [...ofCapability.values()]);
    groups.sort((a, b) => a.since - b.since);
    return {
      byPriority: Object.fromEntries(byPriority),
      byKey: keys.sort((a, b) => b.waiting - a.waiting).slice(0, MAX_KEYS),
      groups: groups.slice(0, MAX_KEYS).map(({ since, next, ...group }) => {
        return { ...group, oldestMs: now - since, waitsFor: reasons(next) };
      }),
      oldestMs: groups.length === 0 ? null : now - groups[0]!.since,
      waitsFor: Object.fromEntries(waitsFor),
    };
  }
}

/** Waiters with one capability and one key. */
interface Group {
  readonly capability: string;
  readonly key: string | null;
  waiting: number;
  /** Start of the longest wait. */
  since: number;
  /** The one that is served next. */
  next: Waiter;
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
