import {
  type CapabilityConfig,
  LIMIT_NAMES,
  type PoolConfig,
  type ProviderConfig,
  type ProviderPatch,
} from "../api/provider-config.ts";
import type { EngineTime } from "../clock/engine-time.ts";
import type { HealthSettings } from "../health/health-settings.ts";
import type { Profile } from "../profile/profile.ts";
import { LIMIT_WORDS } from "../quota/limit-words.ts";
import type { Quota } from "../quota/quota.ts";
import { isResizable, type QuotaSpec, quotaKey, quotaSpecs } from "../quota/quota-spec.ts";
import { Capability } from "./capability.ts";
import type { Pool } from "./pool.ts";
import { DEFAULT_PRIORITY, Provider, type ProviderSettings, priceOf } from "./provider.ts";
import { type Listed, ProviderLists } from "./provider-list.ts";
import type { SizeEstimate } from "./size-estimate.ts";

/** Every provider, pool and capability by name; what it is given has passed the validator. */
export class Registry {
  readonly providers: Map<string, Provider> = new Map();
  readonly pools: Map<string, Pool> = new Map();
  readonly capabilities: Map<string, Capability> = new Map();
  readonly #profile: Profile;
  readonly #time: EngineTime;
  readonly #health: HealthSettings;
  readonly #defaultCooldownSeconds: number;
  readonly #lists = new ProviderLists();

  constructor(profile: Profile, time: EngineTime, health: HealthSettings, defaultCooldownSeconds: number) {
    this.#profile = profile;
    this.#time = time;
    this.#health = health;
    this.#defaultCooldownSeconds = defaultCooldownSeconds;
  }

  /** The new or changed provider; health stays, and so does the usage that the profile lets stay. */
  upsertProvider(config: ProviderConfig, now: number): Provider {
    const { name } = config;
    const had = this.providers.get(name);
    // Everything is made before anything is changed.
    const settings = this.#settings(config);
    const specs = this.#specs(config);
    const pools = this.#poolsOf(config.pools ?? []);
    const create = (spec: QuotaSpec) => this.#quota(spec, null, now);
    const quotas = this.#profile.upsertQuotas(specs, had?.ownQuotas ?? [], create);
    const provider = had ?? new Provider(name, settings, this.#profile.createHealth(this.#health, now));
    provider.settings = settings;
    provider.attach(quotas, pools);
    if (had === undefined) {
      this.providers.set(name, provider);
      this.#lists.providerChanged(name);
    }
    return provider;
  }

  updateProvider(provider: Provider, patch: ProviderPatch, now: number): void {
    const { settings } = provider;
    const changed = {
      priority: patch.priority ?? settings.priority,
      weight: patch.weight === undefined ? settings.weight : this.#profile.weight(patch.weight),
      paused: patch.paused ?? settings.paused,
      price: priceOf(patch) ?? settings.price,
      cooldownSeconds: patch.cooldownSeconds ?? settings.cooldownSeconds,
    };
    const pools = patch.pools === undefined ? provider.pools : this.#poolsOf(patch.pools);
    const quotas = this.#patchedQuotas(provider.ownQuotas, patch, now);
    provider.settings = changed;
    provider.attach(quotas, pools);
  }

  removeProvider(name: string): boolean {
    const provider = this.providers.get(name);
    if (provider === undefined) return false;
    this.providers.delete(name);
    provider.isRegistered = false;
    provider.detach();
    this.#lists.providerChanged(name);
    return true;
  }

  /** The pool, the quotas that it had, and the providers that draw from it. */
  upsertPool(config: PoolConfig, now: number): { pool: Pool; had: readonly Quota[]; drawing: Provider[] } {
    const pool = this.pools.get(config.name) ?? { name: config.name, quotas: [] };
    const had = pool.quotas;
    pool.quotas = this.#carriedQuotas(this.#specs(config), had, config.name, now);
    this.pools.set(config.name, pool);
    const drawing = [...this.providers.values()].filter((provider) => provider.pools.includes(pool));
    for (const provider of drawing) provider.attach(provider.ownQuotas, provider.pools);
    return { pool, had, drawing };
  }

  upsertCapability(config: CapabilityConfig): void {
    const { name, providers } = config;
    const list = this.#lists.take(providers, this.#profile.candidates);
    const had = this.capabilities.get(name);
    this.capabilities.set(name, new Capability(name, list, had));
    if (had !== undefined) this.#lists.giveBack(had.list);
  }

  removeCapability(name: string): boolean {
    const capability = this.capabilities.get(name);
    if (capability === undefined) return false;
    this.capabilities.delete(name);
    this.#lists.giveBack(capability.list);
    return true;
  }

  /** The entries of the capability's list with their providers. */
  listed({ list }: Capability): readonly Listed[] {
    return list.resolved(this.providers);
  }

  /** Size estimate of the capability's requests on a provider; null: the capability does not list it. */
  sizeOf(capability: string | undefined, provider: Provider): SizeEstimate | null {
    const known = capability === undefined ? undefined : this.capabilities.get(capability);
    return known?.list.names.has(provider.name) ? known.sizeOn(provider.name) : null;
  }

  #settings(config: ProviderConfig): ProviderSettings {
    return {
      priority: config.priority ?? DEFAULT_PRIORITY,
      weight: this.#profile.weight(config.weight),
      paused: config.paused ?? false,
      price: priceOf(config),
      cooldownSeconds: this.#profile.cooldownSeconds(config.cooldownSeconds, this.#defaultCooldownSeconds),
    };
  }

  #specs(config: Pick<ProviderConfig, "limits" | "quotas">): QuotaSpec[] {
    return quotaSpecs(config.limits, config.quotas, this.#profile.vocabulary.windowByDefault);
  }

  #poolsOf(names: readonly string[]): Pool[] {
    return names.map((name) => this.pools.get(name)!);
  }

  #quota(spec: QuotaSpec, pool: string | null, now: number): Quota {
    return this.#profile.createQuota(spec, pool, this.#time, now);
  }

  /** The quotas of a change: each goes on as the one of its like, in order; one too many starts with the most that one of its like has used. */
  #carriedQuotas(specs: readonly QuotaSpec[], had: readonly Quota[], pool: string | null, now: number): Quota[] {
    const left = [...had];
    return specs.map((spec) => {
      const isLike = (quota: Quota) => isResizable(quota.spec, spec);
      const place = left.findIndex(isLike);
      const like = left[place];
      if (like !== undefined) {
        left.splice(place, 1);
        like.resize(spec, now);
        return like;
      }
      const quota = this.#quota(spec, pool, now);
      const alike = had.filter(({ spec: { key, strategy } }) => key === spec.key && strategy === spec.strategy);
      const [fullest] = alike.sort((a, b) => b.tracker.used(now) - a.tracker.used(now));
      if (fullest !== undefined) quota.inheritUsage(fullest, now);
      return quota;
    });
  }

  /** Every (dimension, window) that the patch names is replaced, where it stood first; new ones come last. */
  #patchedQuotas(had: readonly Quota[], patch: ProviderPatch, now: number): Quota[] {
    const specs = quotaSpecs(patch.limits, patch.quotas, this.#profile.vocabulary.windowByDefault);
    const named = new Set(specs.map((spec) => spec.key));
    for (const word of LIMIT_NAMES) {
      if (patch.limits?.[word] === null) named.add(quotaKey(...LIMIT_WORDS[word]));
    }
    const replacements = this.#carriedQuotas(specs, had, null, now);
    const placed = new Set<string>();
    const patched = had.flatMap((quota) => {
      const { key } = quota.spec;
      if (!named.has(key)) return [quota];
      if (placed.has(key)) return [];
      placed.add(key);
      return replacements.filter((replacement) => replacement.spec.key === key);
    });
    return [...patched, ...replacements.filter((replacement) => !placed.has(replacement.spec.key))];
  }
}
