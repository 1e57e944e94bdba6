import { Admission, closed } from "./admission/admission.ts";
import { Reconfiguration } from "./admission/reconfiguration.ts";
import type { MapResult, RunResult, TaskContext } from "./api/attempt.ts";
import type { Decision } from "./api/decision.ts";
import type { Dimension } from "./api/dimension.ts";
import type { LimiterEvents } from "./api/events.ts";
import type { Inspection } from "./api/inspection.ts";
import type { Lease } from "./api/lease.ts";
import type { Metrics } from "./api/metrics.ts";
import type { Observation } from "./api/observation.ts";
import type { GrateLimiterOptions } from "./api/options.ts";
import type {
  CapabilityConfig,
  CapabilityProvider,
  PoolConfig,
  ProviderConfig,
  ProviderPatch,
} from "./api/provider-config.ts";
import type { QuotaForecast } from "./api/quota-forecast.ts";
import type { Refusal } from "./api/refusal.ts";
import type { AcquireOptions, MapOptions, RunOptions, SelectOptions, StreamOptions } from "./api/run-options.ts";
import type { WindowSpec } from "./api/window.ts";
import { classic } from "./classic/classic-profile.ts";
import { EngineTime } from "./clock/engine-time.ts";
import { RealClock } from "./clock/real-clock.ts";
import { UnknownCapability, UnknownProvider } from "./errors.ts";
import { Events } from "./events.ts";
import { healthSettings } from "./health/health-settings.ts";
import { forecasts, inspect } from "./inspect.ts";
import { newCounters } from "./metrics.ts";
import { applyObservation } from "./observation/apply-observation.ts";
import { ObservationReader } from "./observation/observation-reader.ts";
import { anticipatory } from "./profile/anticipatory.ts";
import type { Capability } from "./provider/capability.ts";
import type { Provider } from "./provider/provider.ts";
import { Registry } from "./provider/registry.ts";
import { quotaKey } from "./quota/quota-spec.ts";
import { map } from "./run/map.ts";
import { RetryBudget } from "./run/retry-budget.ts";
import { run } from "./run/run.ts";
import type { RunDependencies } from "./run/run-dependencies.ts";
import { stream } from "./run/stream.ts";
import { isBuiltInWeightedScorer, strategyOf, WeightedScorer } from "./scoring/weighted-scorer.ts";
import { type RequestSpec, requestSpecFor } from "./selection/request-spec.ts";
import { select } from "./selection/select.ts";
import type { SelectionContext } from "./selection/selection-context.ts";
import { type Check, meantOf } from "./validation/problems.ts";
import * as checks from "./validation/schemas.ts";

// Of a call without options.
const NOTHING_SAID: RunOptions = {};

/**
 * Which provider to use for the next request, and what happened to it. In process, with no timer while nobody waits; all
 * times come from one clock, so that the same calls at the same instants give the same answers.
 *
 * Names of providers and capabilities are inferred from the constructor's options and checked at compile time.
 */
export class GrateLimiter<P extends string = string, Routes extends Record<string, P> = Record<string, P>> {
  readonly #time: EngineTime;
  readonly #registry: Registry;
  readonly #parts: SelectionContext;
  readonly #observed: ObservationReader;
  readonly #admission: Admission;
  readonly #configuration: Reconfiguration;
  readonly #runs: RunDependencies;

  /** Everything has a default. Throws InvalidConfig, which lists every problem. */
  constructor(options: GrateLimiterOptions<P, Routes> = {}) {
    // An unknown name is reported by the validation, which needs a profile's vocabulary itself.
    const profile = (options as { profile?: unknown } | null)?.profile === "classic" ? classic : anticipatory;
    checks.validate(checks.options, options, profile.vocabulary);
    this.#time = new EngineTime(options.clock ?? new RealClock());
    const health = healthSettings(options.health);
    this.#registry = new Registry(profile, this.#time, health, options.defaultCooldownSeconds ?? 60);
    const strategy = strategyOf(options.scoring);
    const parts = {
      registry: this.#registry,
      profile,
      strategy,
      weighted: isBuiltInWeightedScorer(strategy) ? strategy : null,
      scoreCap: strategy instanceof WeightedScorer ? profile.scoreCap : Infinity,
      minimumHealth: options.minimumHealthScore ?? 0.2,
      counters: newCounters(),
      events: new Events(),
    };
    const { skewCapMs = 1_000, leaseTimeoutMs = 600_000, maxWaiting = 10_000, spread = "score" } = options;
    const random = options.random ?? Math.random;
    this.#admission = new Admission(parts, this.#time, { skewCapMs, leaseTimeoutMs, maxWaiting, spread, random });
    this.#parts = parts;
    this.#observed = new ObservationReader(profile.vocabulary);
    this.#configuration = new Reconfiguration(this.#registry, this.#admission);
    this.#runs = {
      ...{
        admission: this.#admission,
        time: this.#time,
        counters: parts.counters,
        events: parts.events,
        random,
        maxWaiting,
      },
      defaults: { ...options.defaults },
      retryBudget: new RetryBudget(options.retryBudget),
    };
    const { now } = this.#time;
    for (const [name, pool] of Object.entries(options.pools ?? {})) this.#registry.upsertPool({ ...pool, name }, now);
    for (const provider of options.providers ?? []) this.#registry.upsertProvider(provider, now);
    const capabilities: [string, readonly CapabilityProvider[]][] = Object.entries(options.capabilities ?? {});
    for (const [name, providers] of capabilities) this.#registry.upsertCapability({ name, providers });
  }

  /** Replaces the configuration, keeps health; a quota that did not change keeps its usage, a changed one starts empty. Throws InvalidConfig. */
  upsertProvider(config: ProviderConfig<P>): void {
    this.#validate(checks.provider, config, this.#registry.pools);
    this.#configuration.upsertProvider(config);
  }

  /** Changes parts, keeps usage and health; throws UnknownProvider, InvalidConfig. */
  updateProvider(name: P, patch: ProviderPatch): void {
    this.#validate(checks.patch, patch, this.#registry.pools);
    this.#configuration.updateProvider(this.#known(name), patch);
  }

  /** False if there was none. Capabilities go on naming it, and take it up again when it is upserted. */
  removeProvider(name: P): boolean {
    return this.#configuration.removeProvider(name);
  }

  /** Ends death, cooldown and bad health by hand: health 1, latency kept; throws UnknownProvider. */
  reviveProvider(name: P): void {
    this.#configuration.reviveProvider(this.#known(name));
  }

  /** A changed limit keeps the pool's usage; a quota that is no longer named is gone. Throws InvalidConfig. */
  upsertPool(config: PoolConfig): void {
    this.#validate(checks.pool, config);
    this.#configuration.upsertPool(config);
  }

  /** Declares a capability or replaces its list; names need not be registered yet. Throws InvalidConfig. */
  upsertCapability(config: CapabilityConfig<P> & { readonly name: keyof Routes & string }): void {
    this.#validate(checks.capability, config);
    this.#configuration.upsertCapability(config);
  }

  /** False if there was none. */
  removeCapability(name: keyof Routes & string): boolean {
    return this.#configuration.removeCapability(name);
  }

  /**
   * Advice only: reserves nothing; may name a provider without room, then `waitMs` is not 0.
   * Throws UnknownCapability, NoAvailableProviders, InvalidConfig, code "closed", and what a scoring strategy throws.
   */
  select<C extends keyof Routes & string>(capability: C, options?: SelectOptions<Routes[C]>): Decision<Routes[C]> {
    if (this.#admission.isClosed) throw closed();
    const known = this.#asked(checks.select, capability, options);
    const request = requestSpecFor(options);
    try {
      return select(known, request, this.#parts, this.#admission.beginStep()) as Decision<Routes[C]>;
    } finally {
      this.#admission.endStep();
    }
  }

  /**
   * Reserves now or says why not; never waits, overtakes no waiter. All quotas of the provider are taken, or none.
   * Throws UnknownCapability, InvalidConfig, code "closed", and what a scoring strategy throws.
   */
  tryAcquire<C extends keyof Routes & string>(
    capability: C,
    options?: SelectOptions<Routes[C]>,
  ): Lease<Routes[C]> | Refusal<Routes[C]> {
    const known = this.#asked(checks.select, capability, options);
    return this.#admission.tryAcquire(known, requestSpecFor(options)) as Lease<Routes[C]> | Refusal<Routes[C]>;
  }

  /**
   * Reserves, waiting its turn up to `maxWaitMs`: higher `priority` first, first come first served within one. Rejects
   * with NoAvailableProviders (at once where nothing can come in time), `signal.reason`, or what `tryAcquire` throws.
   */
  acquire<C extends keyof Routes & string>(
    capability: C,
    options?: AcquireOptions<Routes[C]>,
  ): Promise<Lease<Routes[C]>> {
    try {
      const known = this.#asked(checks.acquire, capability, options);
      const maxWaitMs = options?.maxWaitMs ?? this.#runs.defaults.maxWaitMs ?? 60_000;
      const granted = this.#admission.acquire(known, requestSpecFor(options), options ?? NOTHING_SAID, maxWaitMs);
      return Promise.resolve(granted) as Promise<Lease<Routes[C]>>;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Acquires, calls the task, settles, and fails over while that helps. Rejects with the task's own error where it was the
   * caller's fault or nothing is known of it, with `signal.reason`, with NoAvailableProviders, or as `acquire`.
   */
  run<C extends keyof Routes & string, T>(
    capability: C,
    task: (context: TaskContext<Routes[C]>) => T | PromiseLike<T>,
    options?: RunOptions<Routes[C]>,
  ): Promise<RunResult<T, Routes[C]>> {
    return this.#begin(checks.run, capability, task, options, run) as Promise<RunResult<T, Routes[C]>>;
  }

  /** `run` for streams: resolves at the first chunk, fails over until then and never after, and holds the lease until the end. */
  stream<C extends keyof Routes & string, Chunk>(
    capability: C,
    task: (context: TaskContext<Routes[C]>) => AsyncIterable<Chunk> | PromiseLike<AsyncIterable<Chunk>>,
    options?: StreamOptions<Routes[C]>,
  ): Promise<RunResult<AsyncIterableIterator<Chunk>, Routes[C]>> {
    const begun: Promise<unknown> = this.#begin(checks.stream, capability, task, options, stream);
    return begun as Promise<RunResult<AsyncIterableIterator<Chunk>, Routes[C]>>;
  }

  /**
   * `run` for many items, as fast as the quotas allow, in bounded memory; results in order of completion, errors of items
   * among them. Nothing is sent before the first result is asked for; `maxWaitMs` is endless unless it is given. Throws as
   * `tryAcquire`.
   */
  map<C extends keyof Routes & string, Item, T>(
    capability: C,
    items: Iterable<Item> | AsyncIterable<Item>,
    task: (item: Item, context: TaskContext<Routes[C]>) => T | PromiseLike<T>,
    options?: MapOptions<Item, Routes[C]>,
  ): AsyncIterableIterator<MapResult<Item, T, Routes[C]>> {
    this.#admission.requireOpen();
    const known = this.#asked(checks.map, capability, options);
    const { needs } = options ?? {};
    const validated = {
      ...(options as MapOptions<Item>),
      // A batch has the time that it takes.
      maxWaitMs: options?.maxWaitMs ?? this.#runs.defaults.maxWaitMs ?? Infinity,
      needs: needs && ((item: Item, index: number) => this.#validated(needs(item, index))),
    };
    this.#validate(checks.batch, { items, task });
    const request = requestSpecFor(options);
    const results: AsyncIterableIterator<unknown> = map(this.#runs, known, items, task as never, validated, request);
    return results as AsyncIterableIterator<MapResult<Item, T, Routes[C]>>;
  }

  /**
   * What happened to a request that had no lease; may be told in two parts: the amounts when it is sent (as "cancelled",
   * which teaches nothing), the ending with `requests: 0`. Amounts given to `select` are not remembered. Throws UnknownProvider, and InvalidConfig for a status or a key that is none; amounts
   * and times that are none are left out and counted in `metrics.invalidUsages`.
   */
  observe(observation: Observation<P>): void {
    const observed = this.#observed;
    observed.read(observation);
    const now = this.#admission.beginStep();
    const provider = this.#registry.providers.get(observation.provider);
    if (provider === undefined) {
      this.#parts.profile.miscalls.unknownProvider(this.#parts.counters);
      this.#admission.endStep();
      throw this.#unknownProvider(observation.provider);
    }
    provider.emitEndedCooldown(this.#parts.events, now);
    const size = this.#registry.sizeOf(observation.capability, provider);
    applyObservation(provider, observed, size, this.#parts, now);
    this.#admission.capacityFreed();
    this.#admission.endStep();
  }

  /** 0 to 1, healed up to now; null: no such provider. */
  providerHealth(name: P): number | null {
    return this.#read(name, (provider, now) => provider.health.score(now));
  }

  /** null: no such provider. */
  providerInCooldown(name: P): boolean | null {
    return this.#read(name, (provider, now) => provider.cooldownMs(now) > 0);
  }

  /**
   * What could be granted now: the least over all quotas of that dimension, its pools' included, or over those of one
   * window; classic: the first declared; null: no such provider or quota. Throws InvalidConfig for a dimension or window that is none.
   */
  providerQuotaRemaining(name: P, dimension: Dimension, window?: WindowSpec): number | null {
    this.#validate(checks.query, { dimension, window });
    const key = window === undefined ? null : quotaKey(dimension, window);
    return this.#read(name, (provider, now) => {
      const quotas = provider.quotas.filter(
        ({ spec }) => spec.dimension === dimension && (key === null || spec.key === key),
      );
      return quotas.length === 0 ? null : this.#parts.profile.remaining(quotas, now);
    });
  }

  /** The same as `providerQuotaRemaining`. */
  remainingQuota(name: P, dimension: Dimension, window?: WindowSpec): number | null {
    return this.providerQuotaRemaining(name, dimension, window);
  }

  /** Every quota of a provider, own ones first, then its pools'; null: no such provider. */
  forecast(name: P): readonly QuotaForecast[] | null {
    return this.#read(name, forecasts);
  }

  /** A copy of the counters. */
  get metrics(): Metrics {
    // Leases that have expired are counted by the next call.
    this.#admission.beginStep();
    this.#admission.endStep();
    return { ...this.#parts.counters };
  }

  /** Everything the limiter knows, as JSON-safe data. */
  inspect(): Inspection<P> {
    const now = this.#admission.beginStep();
    for (const provider of this.#registry.providers.values()) provider.emitEndedCooldown(this.#parts.events, now);
    const inspection = inspect(this.#registry, this.#admission, this.#parts.minimumHealth, now);
    this.#admission.endStep();
    return inspection as Inspection<P>;
  }

  /** Calls `listener` after each such event; returns the function that takes it off. An exception in a listener changes nothing. Throws InvalidConfig. */
  on<E extends keyof LimiterEvents>(event: E, listener: (event: LimiterEvents<P>[E]) => void): () => void {
    this.#validate(checks.listener, { event, listener });
    return this.#parts.events.on(event, listener);
  }

  /** Rejects waiters and later calls with code "closed"; leases may still be settled, and observing, queries and configuration work. */
  close(): void {
    this.#admission.close();
  }

  /** Starts a task; what is wrong with the call comes out as a rejection, too. */
  #begin<Task, Result>(
    check: Check,
    capability: string,
    task: Task,
    options: RunOptions | undefined,
    start: (
      parts: RunDependencies,
      known: Capability,
      task: never,
      options: RunOptions,
      request: RequestSpec,
    ) => Promise<Result>,
  ): Promise<Result> {
    try {
      this.#admission.requireOpen();
      const known = this.#asked(check, capability, options);
      if (typeof task !== "function") this.#validate(checks.task, { task });
      const asked = options === undefined ? NOTHING_SAID : { ...options };
      return start(this.#runs, known, task as never, asked, requestSpecFor(options));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** The capability of a call; throws where that, or the request, is none. */
  #asked(check: Check, capability: string, options: SelectOptions | undefined): Capability {
    if (options !== undefined) this.#validate(check, options);
    const known = this.#registry.capabilities.get(capability);
    if (known === undefined) {
      this.#parts.profile.miscalls.unknownCapability(this.#parts.counters);
      throw new UnknownCapability(capability, meantOf(capability, this.#registry.capabilities.keys()));
    }
    return known;
  }

  #validated<Needs extends SelectOptions>(needs: Needs): Needs {
    if (needs !== undefined) this.#validate(checks.select, needs);
    return needs;
  }

  #validate(check: Check, value: unknown, pools?: Registry["pools"]): void {
    checks.validate(check, value, this.#parts.profile.vocabulary, pools);
  }

  #read<T>(name: string, answer: (provider: Provider, now: number) => T): T | null {
    const provider = this.#registry.providers.get(name);
    if (provider === undefined) return null;
    const now = this.#admission.beginStep();
    provider.emitEndedCooldown(this.#parts.events, now);
    const answered = answer(provider, now);
    this.#admission.endStep();
    return answered;
  }

  #known(name: string): Provider {
    const provider = this.#registry.providers.get(name);
    if (provider === undefined) throw this.#unknownProvider(name);
    return provider;
  }

  #unknownProvider(name: string): UnknownProvider {
    return new UnknownProvider(name, meantOf(name, this.#registry.providers.keys()));
  }
}
