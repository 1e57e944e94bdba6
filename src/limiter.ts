import { Admission } from "./admission/admission.ts";
import { Reconfiguration } from "./admission/reconfiguration.ts";
import type { MapResults, RunResult, TaskContext } from "./api/attempt.ts";
import type { Decision } from "./api/decision.ts";
import type { Dimension } from "./api/dimension.ts";
import type { LimiterEvents } from "./api/events.ts";
import type { Explanation } from "./api/explanation.ts";
import type { Inspection } from "./api/inspection.ts";
import type { Lease } from "./api/lease.ts";
import type { Metrics } from "./api/metrics.ts";
import type { Observation } from "./api/observation.ts";
import type { GrateLimiterOptions } from "./api/options.ts";
import type { CapabilityConfig, PoolConfig, ProviderConfig, ProviderPatch } from "./api/provider-config.ts";
import type { QuotaForecast } from "./api/quota-forecast.ts";
import type { Refusal } from "./api/refusal.ts";
import type {
  AcquireOptions,
  CloseOptions,
  MapOptions,
  RunOptions,
  SelectOptions,
  StreamOptions,
} from "./api/run-options.ts";
import type { LimiterSnapshot } from "./api/snapshot.ts";
import type { WindowSpec } from "./api/window.ts";
import { classic } from "./classic/classic-profile.ts";
import { EngineTime } from "./clock/engine-time.ts";
import { RealClock } from "./clock/real-clock.ts";
import { Events } from "./events.ts";
import type { FleetFactory } from "./fleet/fleet-link.ts";
import { healthSettings } from "./health/health-settings.ts";
import { forecastsOf, Inspector } from "./inspect.ts";
import { newCounters } from "./metrics.ts";
import { applyObservation } from "./observation/apply-observation.ts";
import { ObservationReader } from "./observation/observation-reader.ts";
import { anticipatory } from "./profile/anticipatory.ts";
import type { Profile } from "./profile/profile.ts";
import { KeyLimits } from "./provider/key-limits.ts";
import { Registry } from "./provider/registry.ts";
import { Calls } from "./run/calls.ts";
import { run } from "./run/run.ts";
import { stream } from "./run/stream.ts";
import { isBuiltInWeightedScorer, strategyOf, WeightedScorer } from "./scoring/weighted-scorer.ts";
import { requireObservedCost } from "./selection/cost-requirement.ts";
import { observedProvider, requestedCapability, requireProvider } from "./selection/known-names.ts";
import { requestSpecFor } from "./selection/request-spec.ts";
import { rank, select } from "./selection/select.ts";
import type { SelectionContext } from "./selection/selection-context.ts";
import type { Check } from "./validation/problems.ts";
import * as checks from "./validation/schemas.ts";

const PROFILES: { readonly [name in NonNullable<GrateLimiterOptions["profile"]>]: Profile } = { anticipatory, classic };
const OPTIONS: Check = checks.optionsFor(Object.keys(PROFILES));

/**
 * Rate limiter that decides which provider gets the next request, and learns from what happened to it. It sets a timer only
 * while a call waits, or with a store. All times come from one clock. TypeScript infers and checks the names of providers and
 * capabilities.
 */
export class GrateLimiter<P extends string = string, Routes extends Record<string, P> = Record<string, P>> {
  readonly #context: SelectionContext;
  /** Reader of the next observation; null: in use, or left behind by an invalid one. */
  #idleReader: ObservationReader | null = null;
  readonly #admission: Admission;
  readonly #configuration: Reconfiguration;
  readonly #calls: Calls;
  readonly #inspector: Inspector;

  /** Every option has a default. Throws InvalidConfig, which lists every problem. */
  constructor(options: GrateLimiterOptions<P, Routes> = {}) {
    const { profile: name = "anticipatory" } = (options as GrateLimiterOptions | null) ?? {};
    const profile = Object.hasOwn(PROFILES, name) ? PROFILES[name] : anticipatory;
    checks.validate(OPTIONS, options, profile.vocabulary);
    const time = new EngineTime(options.clock ?? new RealClock());
    const { defaultCooldownSeconds = profile.defaultCooldownSeconds, random = Math.random } = options;
    const { skewCapMs = 1_000, leaseTimeoutMs = 600_000, spread = "score" } = options;
    const { maxWaiting = 10_000, maxWaitingPerKey = Infinity } = options;
    const strategy = strategyOf(options.scoring);
    const health = healthSettings(options.health, profile.healthDefaults);
    const keyLimits = options.keyLimits === undefined ? null : new KeyLimits(options.keyLimits, profile, time);
    const { hasSizes = false } = keyLimits ?? {};
    const registry = new Registry(profile, time, health, defaultCooldownSeconds, options.retryBudget, hasSizes);
    const counters = newCounters();
    this.#context = {
      registry,
      keyLimits,
      profile,
      strategy,
      weighted: isBuiltInWeightedScorer(strategy) ? strategy : null,
      scoreCap: strategy instanceof WeightedScorer ? profile.scoreCap : Infinity,
      minimumHealth: options.minimumHealthScore ?? profile.minimumHealth,
      counters,
      events: new Events(counters),
    };
    const admissionOptions = { skewCapMs, leaseTimeoutMs, maxWaiting, maxWaitingPerKey, spread, random };
    this.#admission = new Admission(this.#context, time, admissionOptions);
    this.#configuration = new Reconfiguration(registry, this.#admission);
    this.#calls = new Calls({ admission: this.#admission, time, random, maxWaiting, leaseTimeoutMs }, options.defaults);
    this.#inspector = new Inspector(this.#admission, time);
    this.#configuration.declare(options as GrateLimiterOptions, time, admissionOptions);
    const connect = options.store?.connect as FleetFactory | undefined;
    this.#admission.fleet = connect?.(this.#admission, time, rank, options as GrateLimiterOptions) ?? null;
  }

  /** Adds or replaces a provider. Health stays; an unchanged quota keeps its usage, a changed one starts empty. Throws InvalidConfig. */
  upsertProvider(config: ProviderConfig<P>): void {
    this.#validate(checks.provider, config, this.#context.registry.pools);
    this.#configuration.upsertProvider(config);
  }

  /** Changes parts of a provider. Usage and health stay. Throws UnknownProvider, InvalidConfig. */
  updateProvider(name: P, patch: ProviderPatch): void {
    this.#validate(checks.patch, patch, this.#context.registry.pools);
    this.#configuration.updateProvider(requireProvider(this.#context.registry, name), patch);
  }

  /** Removes a provider; false if there was none. Capabilities keep its name and use it again after the next upsert. */
  removeProvider(name: P): boolean {
    return this.#configuration.removeProvider(name);
  }

  /** Ends the death or cooldown of a provider and sets its health to 1. Latency stays. Throws UnknownProvider. */
  reviveProvider(name: P): void {
    this.#configuration.reviveProvider(requireProvider(this.#context.registry, name));
  }

  /** Adds a pool or replaces its quotas. A changed limit keeps its usage, a quota without entry is removed. Throws InvalidConfig. */
  upsertPool(config: PoolConfig): void {
    this.#validate(checks.pool, config);
    this.#configuration.upsertPool(config);
  }

  /** Adds a capability or replaces its list, which can name providers that do not exist yet. Throws InvalidConfig. */
  upsertCapability(config: CapabilityConfig<P> & { readonly name: keyof Routes & string }): void {
    this.#validate(checks.capability, config);
    this.#configuration.upsertCapability(config);
  }

  /** Removes a capability; false if there was none. */
  removeCapability(name: keyof Routes & string): boolean {
    return this.#configuration.removeCapability(name);
  }

  /**
   * Ranks the providers of a capability for one request. Reserves nothing. `waitMs` is not 0 if the best has no capacity now.
   * Throws UnknownCapability, NoAvailableProviders, InvalidConfig, code "closed", and errors of a scoring strategy.
   */
  select<C extends keyof Routes & string>(capability: C, options?: SelectOptions<Routes[C]>): Decision<Routes[C]> {
    if (!this.#admission.isOpen) throw this.#admission.closedError();
    const known = requestedCapability(checks.select, capability, options, this.#context);
    try {
      return select(known, requestSpecFor(options), this.#context, this.#admission.beginStep()) as Decision<Routes[C]>;
    } finally {
      this.#admission.endStep();
    }
  }

  /** The provider that such an `acquire` would get now, or why and behind how many calls it would wait. Takes nothing. Throws as `tryAcquire`. */
  explain<C extends keyof Routes & string>(capability: C, options?: AcquireOptions<Routes[C]>): Explanation<Routes[C]> {
    return this.#calls.explain(capability, options) as Explanation<Routes[C]>;
  }

  /**
   * Reserves capacity now, in all quotas of one provider or in none, or returns the reasons why not. Never waits and never
   * takes capacity that a waiter could use. Throws UnknownCapability, InvalidConfig, code "closed", and errors of a scoring
   * strategy.
   */
  tryAcquire<C extends keyof Routes & string>(
    capability: C,
    options?: SelectOptions<Routes[C]>,
  ): Lease<Routes[C]> | Refusal<Routes[C]> {
    const known = requestedCapability(checks.select, capability, options, this.#context);
    return this.#admission.tryAcquire(known, requestSpecFor(options)) as Lease<Routes[C]> | Refusal<Routes[C]>;
  }

  /**
   * Reserves capacity, and waits for it up to `maxWaitMs`: higher `priority` first, first come, first served within one.
   * Rejects with NoAvailableProviders (immediately if no capacity can become available in time), with `signal.reason`, or
   * with the errors that `tryAcquire` throws.
   */
  acquire<C extends keyof Routes & string>(
    capability: C,
    options?: AcquireOptions<Routes[C]>,
  ): Promise<Lease<Routes[C]>> {
    return this.#calls.acquire(capability, options) as Promise<Lease<Routes[C]>>;
  }

  /**
   * Acquires a lease, calls the task, settles the lease, and fails over to other providers. Rejects with the task's own
   * error after a client error or an unrecognized one, with `signal.reason`, with NoAvailableProviders, or as `acquire`.
   */
  run<C extends keyof Routes & string, T>(
    capability: C,
    task: (context: TaskContext<Routes[C]>) => T | PromiseLike<T>,
    options?: RunOptions<Routes[C]>,
  ): Promise<RunResult<T, Routes[C]>> {
    const result: Promise<unknown> = this.#calls.start(run, checks.run, capability, task as never, options);
    return result as Promise<RunResult<T, Routes[C]>>;
  }

  /** `run` for streams: resolves at the first chunk, fails over until then and never after, and holds the lease until the end. */
  stream<C extends keyof Routes & string, Chunk>(
    capability: C,
    task: (context: TaskContext<Routes[C]>) => AsyncIterable<Chunk> | PromiseLike<AsyncIterable<Chunk>>,
    options?: StreamOptions<Routes[C]>,
  ): Promise<RunResult<AsyncIterableIterator<Chunk>, Routes[C]>> {
    const result: Promise<unknown> = this.#calls.start(stream, checks.stream, capability, task as never, options);
    return result as Promise<RunResult<AsyncIterableIterator<Chunk>, Routes[C]>>;
  }

  /**
   * `run` for many items, as fast as the quotas allow, in bounded memory. Yields results in order of completion, errors of
   * items included. Starts with the first pull. `maxWaitMs` defaults to Infinity. Throws as `tryAcquire`.
   */
  map<C extends keyof Routes & string, Item, T>(
    capability: C,
    items: Iterable<Item> | AsyncIterable<Item>,
    task: (item: Item, context: TaskContext<Routes[C]>) => T | PromiseLike<T>,
    options?: MapOptions<Item, Routes[C]>,
  ): MapResults<Item, T, Routes[C]> {
    const results: unknown = this.#calls.map(capability, items, task as never, options as MapOptions<Item>);
    return results as MapResults<Item, T, Routes[C]>;
  }

  /**
   * Records the end of a request without a lease. A request can be observed in two parts: its amounts when it is sent, as
   * "cancelled", and its outcome with `requests: 0`. Throws UnknownProvider, and InvalidConfig for an invalid status, an unknown
   * key, or a success without the cost that a dollar quota needs. Invalid amounts and times count in `metrics.invalidUsages`.
   */
  observe(observation: Observation<P>): void {
    const context = this.#context;
    // A getter or a scoring strategy might observe, too.
    const observed = this.#idleReader ?? new ObservationReader(context.profile.vocabulary);
    this.#idleReader = null;
    observed.read(observation);
    const now = this.#admission.beginStep();
    try {
      const provider = observedProvider(context, observation.provider);
      requireObservedCost(provider, observed);
      provider.emitEndedCooldown(context.events, now);
      this.#admission.discoverLimits(provider, observed.reported, observed.status, now);
      applyObservation(provider, observed, context.registry.sizeOf(observation.capability, provider), context, now);
      this.#admission.capacityFreed();
    } finally {
      this.#admission.endStep();
      this.#idleReader = observed;
    }
  }

  /** Health from 0 to 1, recovery up to now included; null: no such provider. */
  providerHealth(name: P): number | null {
    return this.#inspector.read(name, ({ health }, now) => health.score(now));
  }

  /** True if the provider is in a cooldown; null: no such provider. */
  providerInCooldown(name: P): boolean | null {
    return this.#inspector.read(name, (provider, now) => provider.cooldownMs(now) > 0);
  }

  /**
   * Amount that can be granted now: the least over all quotas of the dimension, pools included, or over those of one window
   * (classic: of the first declared one). null: no such provider or quota. Throws InvalidConfig for an unknown dimension or
   * window.
   */
  providerQuotaRemaining(name: P, dimension: Dimension, window?: WindowSpec): number | null {
    this.#validate(checks.query, { dimension, window });
    return this.#inspector.remaining(name, dimension, window);
  }

  /** Same as `providerQuotaRemaining`. */
  remainingQuota(name: P, dimension: Dimension, window?: WindowSpec): number | null {
    return this.providerQuotaRemaining(name, dimension, window);
  }

  /** Forecasts of all quotas of a provider, its own ones first, then those of its pools; null: no such provider. */
  forecast(name: P): readonly QuotaForecast[] | null {
    return this.#inspector.read(name, forecastsOf);
  }

  /** Copy of the counters. */
  get metrics(): Metrics {
    return this.#inspector.metrics();
  }

  /** State of the limiter as JSON-safe data. */
  inspect(): Inspection<P> {
    return this.#inspector.inspect() as Inspection<P>;
  }

  /** State as JSON for the option `snapshot` of a later process. Open leases count as used. Classic: throws InvalidConfig. */
  snapshot(): LimiterSnapshot {
    return this.#inspector.snapshot();
  }

  /** Calls `listener` after each such event; its errors are ignored. Returns its removal. Throws InvalidConfig. */
  on<E extends keyof LimiterEvents>(event: E, listener: (event: LimiterEvents<P>[E]) => void): () => void {
    this.#validate(checks.listener, { event, listener });
    return this.#context.events.on(event, listener);
  }

  /**
   * Rejects all queued and all later calls with code "closed"; with `drain` after those that have begun, or `timeoutMs`. Leases,
   * `observe`, queries and configuration keep working. Returns to the store what is spare. Throws InvalidConfig.
   */
  close(options?: CloseOptions): Promise<void> {
    if (options !== undefined) this.#validate(checks.close, options);
    return this.#admission.close(options);
  }

  /** Sends all usage to the store and returns what is not in use, for the end of a serverless invocation. Never rejects. */
  flush(): Promise<void> {
    return this.#admission.fleet?.flush() ?? Promise.resolve();
  }

  #validate(check: Check, value: unknown, pools?: Registry["pools"]): void {
    checks.validate(check, value, this.#context.profile.vocabulary, pools);
  }
}
