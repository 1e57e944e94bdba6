import type { GrateLimiterOptions } from "../api/options.ts";
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
import { type DialectTerms, dialectTerms } from "../quota/dialect-terms.ts";
import { LIMIT_WORDS } from "../quota/limit-words.ts";
import type { Quota } from "../quota/quota.ts";
import { isResizable, type QuotaSpec, quotaKey, quotaSpecs } from "../quota/quota-spec.ts";
import { Capability } from "./capability.ts";
import { LimitDiscovery } from "./limit-discovery.ts";
import type { Pool } from "./pool.ts";
import { DEFAULT_PRIORITY, Provider, type ProviderSettings, priceOf } from "./provider.ts";
import { type ListedProvider, ProviderLists } from "./provider-list.ts";
import { RetryBudget } from "./retry-budget.ts";
import type { SizeEstimate } from "./size-estimate.ts";

/** All providers, pools and capabilities by name. Configurations that it receives must be valid. */
export class Registry {
  readonly providers: Map<string, Provider> = new Map();
  readonly pools: Map<string, Pool> = new Map();
  readonly capabilities: Map<string, Capability> = new Map();
  /** Providers with a cost quota and without a price. Empty in a profile without prices. */
  readonly unpricedProviders: Set<Provider> = new Set();
  readonly #profile: Profile;
  readonly #time: EngineTime;
  readonly #health: HealthSettings;
  readonly #defaultCooldownSeconds: number;
  readonly #retryBudget: GrateLimiterOptions["retryBudget"];
  readonly #areKeysSized: boolean;
  readonly #lists = new ProviderLists();

  constructor(
    profile: Profile,
    time: EngineTime,
    health: HealthSettings,
    defaultCooldownSeconds: number,
    retryBudget: GrateLimiterOptions["retryBudget"],
    areKeysSized: boolean,
  ) {
    this.#profile = profile;
    this.#time = time;
    this.#health = health;
    this.#defaultCooldownSeconds = defaultCooldownSeconds;
    this.#retryBudget = retryBudget;
    this.#areKeysSized = areKeysSized;
  }

  /** Adds or replaces a provider. A replaced provider keeps its health and those quotas that the profile keeps. */
  upsertProvider(config: ProviderConfig, now: number): Provider {
    const { name } = config;
    const previous = this.providers.get(name);
    // All new parts are created before anything is changed, so that an error changes nothing.
    const settings = this.#settings(config, now);
    const { limits, quotas: declared } = config;
    const isKept = previous?.discovery != null && previous.settings.dialect === settings.dialect;
    const discovery = limits !== "headers" ? null : isKept ? previous.discovery : new LimitDiscovery(settings.terms);
    const stated = this.#specs({ limits: limits === "headers" ? undefined : limits, quotas: declared }, settings.terms);
    const specs = [...stated, ...discoveredSpecs(discovery, stated)];
    const pools = this.#poolsOf(config.pools ?? []);
    const create = (spec: QuotaSpec) => this.#quota(spec, null, now);
    const quotas = this.#profile.upsertQuotas(specs, previous?.ownQuotas ?? [], create);
    const health = this.#profile.createHealth(this.#health, now);
    const provider = previous ?? new Provider(name, settings, health, new RetryBudget(this.#retryBudget));
    provider.settings = settings;
    provider.discovery = discovery;
    this.#attach(provider, quotas, pools);
    if (previous === undefined) {
      this.providers.set(name, provider);
      this.#lists.providerChanged(name);
    }
    return provider;
  }

  /** Gives a provider the quotas that its responses have shown. */
  applyDiscovery(provider: Provider, now: number): void {
    const { discovery, ownQuotas, pools } = provider;
    const stated = ownQuotas.map(({ spec }) => spec).filter((spec) => !discovery?.hasMade(spec));
    const specs = [...stated, ...discoveredSpecs(discovery, stated)];
    this.#attach(provider, this.#migratedQuotas(specs, ownQuotas, null, now), pools);
  }

  updateProvider(provider: Provider, patch: ProviderPatch, now: number): void {
    const { settings } = provider;
    const changed = {
      ...settings,
      priority: patch.priority ?? settings.priority,
      weight: patch.weight === undefined ? settings.weight : this.#profile.weight(patch.weight),
      pausedUntil: this.#pauseEnd(patch, now) ?? settings.pausedUntil,
      price: priceOf(patch) ?? settings.price,
      cooldownSeconds: patch.cooldownSeconds ?? settings.cooldownSeconds,
    };
    const pools = patch.pools === undefined ? provider.pools : this.#poolsOf(patch.pools);
    const quotas = this.#patchedQuotas(provider, patch, now);
    provider.settings = changed;
    this.#attach(provider, quotas, pools);
  }

  removeProvider(name: string): boolean {
    const provider = this.providers.get(name);
    if (provider === undefined) return false;
    this.providers.delete(name);
    this.unpricedProviders.delete(provider);
    provider.isRegistered = false;
    provider.detach();
    this.#lists.providerChanged(name);
    return true;
  }

  /** Adds or replaces a pool. Returns it with its previous quotas and the providers that share it. */
  upsertPool(config: PoolConfig, now: number): { pool: Pool; previousQuotas: readonly Quota[]; members: Provider[] } {
    const pool = this.pools.get(config.name) ?? { name: config.name, quotas: [] };
    const previousQuotas = pool.quotas;
    pool.quotas = this.#migratedQuotas(this.#specs(config), previousQuotas, config.name, now);
    this.pools.set(config.name, pool);
    const members = [...this.providers.values()].filter((provider) => provider.pools.includes(pool));
    for (const provider of members) this.#attach(provider, provider.ownQuotas, provider.pools);
    return { pool, previousQuotas, members };
  }

  upsertCapability(config: CapabilityConfig): void {
    const { name, providers } = config;
    const list = this.#lists.take(providers, this.#profile.candidates);
    const previous = this.capabilities.get(name);
    this.capabilities.set(name, new Capability(name, list, previous));
    if (previous !== undefined) this.#lists.giveBack(previous.list);
  }

  removeCapability(name: string): boolean {
    const capability = this.capabilities.get(name);
    if (capability === undefined) return false;
    this.capabilities.delete(name);
    this.#lists.giveBack(capability.list);
    return true;
  }

  /** Returns the entries of the capability's list with their providers. */
  listed({ list }: Capability): readonly ListedProvider[] {
    return list.resolved(this.providers);
  }

  /** Size estimate of the capability's requests on a provider. Null: the capability is unknown or does not list it. */
  sizeOf(capability: string | undefined, provider: Provider): SizeEstimate | null {
    const known = capability === undefined ? undefined : this.capabilities.get(capability);
    return known?.list.names.has(provider.name) ? known.sizeOn(provider.name) : null;
  }

  #attach(provider: Provider, quotas: readonly Quota[], pools: readonly Pool[]): void {
    provider.attach(quotas, pools, this.#areKeysSized);
    if (this.#profile.vocabulary.without.includes("price")) provider.unpricedQuota = null;
    if (provider.unpricedQuota === null) this.unpricedProviders.delete(provider);
    else this.unpricedProviders.add(provider);
  }

  /** Instant at which the pause ends. -Infinity: it is not paused. undefined: not specified. */
  #pauseEnd({ paused, pausedUntil }: Pick<ProviderConfig, "paused" | "pausedUntil">, now: number): number | undefined {
    if (paused === false) return -Infinity;
    if (pausedUntil !== undefined) return now + pausedUntil - this.#time.epochAt(now);
    return paused && Infinity;
  }

  #settings(config: ProviderConfig, now: number): ProviderSettings {
    return {
      priority: config.priority ?? DEFAULT_PRIORITY,
      weight: this.#profile.weight(config.weight),
      pausedUntil: this.#pauseEnd(config, now) ?? -Infinity,
      price: priceOf(config),
      cooldownSeconds: this.#profile.cooldownSeconds(config.cooldownSeconds, this.#defaultCooldownSeconds),
      dialect: config.dialect ?? null,
      terms: dialectTerms(config.dialect),
    };
  }

  #specs({ limits, quotas }: Pick<ProviderPatch, "limits" | "quotas">, terms?: DialectTerms): QuotaSpec[] {
    return quotaSpecs(limits, quotas, this.#profile.vocabulary.windowByDefault, terms);
  }

  #poolsOf(names: readonly string[]): Pool[] {
    return names.map((name) => this.pools.get(name)!);
  }

  #quota(spec: QuotaSpec, pool: string | null, now: number): Quota {
    return this.#profile.createQuota(spec, pool, this.#time, now);
  }

  /**
   * Returns the quotas after a change, in the order of `specs`. Each spec resizes the first previous quota that differs in
   * its limit at most. A spec without such a quota gets a new one, which inherits the usage of the fullest previous quota
   * of the same window and strategy.
   */
  #migratedQuotas(specs: readonly QuotaSpec[], previous: readonly Quota[], pool: string | null, now: number): Quota[] {
    const unmatched = [...previous];
    return specs.map((spec) => {
      const index = unmatched.findIndex((quota) => isResizable(quota.spec, spec));
      const match = unmatched[index];
      if (match !== undefined) {
        unmatched.splice(index, 1);
        match.resize(spec, now);
        return match;
      }
      const quota = this.#quota(spec, pool, now);
      const similar = previous.filter(({ spec: { key, strategy } }) => key === spec.key && strategy === spec.strategy);
      const [fullest] = similar.sort((a, b) => b.tracker.used(now) - a.tracker.used(now));
      if (fullest !== undefined) quota.inheritUsage(fullest, now);
      return quota;
    });
  }

  /** Replaces the quotas of every (dimension, window) in the patch at its first index. New ones are appended. */
  #patchedQuotas({ ownQuotas: previous, settings }: Provider, patch: ProviderPatch, now: number): Quota[] {
    const specs = this.#specs(patch, settings.terms);
    const named = new Set(specs.map((spec) => spec.key));
    for (const word of LIMIT_NAMES) {
      if (patch.limits?.[word] === null) named.add(quotaKey(...LIMIT_WORDS[word]));
    }
    const replacements = this.#migratedQuotas(specs, previous, null, now);
    const placed = new Set<string>();
    const patched = previous.flatMap((quota) => {
      const { key } = quota.spec;
      if (!named.has(key)) return [quota];
      if (placed.has(key)) return [];
      placed.add(key);
      return replacements.filter((replacement) => replacement.spec.key === key);
    });
    return [...patched, ...replacements.filter((replacement) => !placed.has(replacement.spec.key))];
  }
}

/** Specs that the discovery adds to the stated ones, which come first. */
function discoveredSpecs(discovery: LimitDiscovery | null, stated: readonly QuotaSpec[]): readonly QuotaSpec[] {
  const keys = new Set(stated.map(({ key }) => key));
  return discovery?.specs.filter(({ key }) => !discovery.isKnown || !keys.has(key)) ?? [];
}
