import type { GrateLimiterOptions } from "../api/options.ts";
import type { CapabilityConfig, PoolConfig, ProviderConfig, ProviderPatch } from "../api/provider-config.ts";
import type { EngineTime } from "../clock/engine-time.ts";
import type { Provider } from "../provider/provider.ts";
import type { Registry } from "../provider/registry.ts";
import { type OpenTimes, restoreSnapshot } from "../snapshot/restore-snapshot.ts";
import type { Admission } from "./admission.ts";

/** Changes the configuration of a running limiter; its arguments are valid. */
export class Reconfiguration {
  readonly #registry: Registry;
  readonly #admission: Admission;

  constructor(registry: Registry, admission: Admission) {
    this.#registry = registry;
    this.#admission = admission;
  }

  /** Registers what the options of the constructor declare, with the state of an earlier process. */
  declare(options: GrateLimiterOptions, time: EngineTime, times: OpenTimes): void {
    const { pools = {}, providers = [], capabilities = {}, snapshot } = options;
    const registry = this.#registry;
    const { now } = time;
    for (const [name, pool] of Object.entries(pools)) registry.upsertPool({ ...pool, name }, now);
    for (const provider of providers) registry.upsertProvider(provider, now);
    for (const [name, listed] of Object.entries(capabilities)) registry.upsertCapability({ name, providers: listed });
    if (snapshot) restoreSnapshot(snapshot, registry, time, times);
  }

  upsertProvider(config: ProviderConfig): void {
    this.#change((now) => {
      const provider = this.#registry.upsertProvider(config, now);
      const { events } = this.#admission;
      provider.emitEndedCooldown(events, now);
      if (provider.health.clearDead()) events.emit("providerRevived", { provider: provider.name });
      provider.invalidate();
      this.#admission.migrateLeases([provider], provider.quotas, [], now);
    });
  }

  updateProvider(provider: Provider, patch: ProviderPatch): void {
    this.#change((now) => {
      provider.emitEndedCooldown(this.#admission.events, now);
      this.#registry.updateProvider(provider, patch, now);
      this.#admission.migrateLeases([provider], provider.quotas, [], now);
    });
  }

  removeProvider(name: string): boolean {
    return this.#change(() => {
      const isRemoved = this.#registry.removeProvider(name);
      this.#admission.openLeases.dropIfUnused(name);
      return isRemoved;
    });
  }

  reviveProvider(provider: Provider): void {
    this.#change((now) => {
      const { events } = this.#admission;
      const wasDead = provider.health.isDead;
      provider.health.revive(now);
      provider.invalidate();
      provider.ramp.stop();
      provider.endCooldown(events);
      if (wasDead) events.emit("providerRevived", { provider: provider.name });
    });
  }

  upsertPool(config: PoolConfig): void {
    this.#change((now) => {
      const { pool, previousQuotas, members } = this.#registry.upsertPool(config, now);
      // Leases of providers that have left the pool take part in its quotas as well.
      this.#admission.migrateLeases(members, pool.quotas, previousQuotas, now);
    });
  }

  upsertCapability(config: CapabilityConfig): void {
    this.#change(() => {
      this.#registry.upsertCapability(config);
      this.#admission.capabilityChanged(config.name);
    });
  }

  removeCapability(name: string): boolean {
    return this.#change(() => {
      const isRemoved = this.#registry.removeCapability(name);
      this.#admission.capabilityChanged(name);
      return isRemoved;
    });
  }

  /** Runs a change as a step. Any change might free capacity, or end the hope of a waiter. */
  #change<T>(change: (now: number) => T): T {
    const changed = change(this.#admission.beginStep());
    this.#admission.configurationChanged();
    this.#admission.endStep();
    return changed;
  }
}
