import type { Clock } from "./clock.ts";
import type { CapabilityProvider, KeyLimitsConfig, PoolConfig, ProviderConfig } from "./provider-config.ts";
import type { RunDefaults } from "./run-options.ts";
import type { ScoringStrategy } from "./scoring-strategy.ts";
import type { SharedStore } from "./shared-store.ts";
import type { LimiterSnapshot } from "./snapshot.ts";

/** Weights of the four score parts, each from 0, with any sum. Defaults: 0.40, 0.35, 0.20, 0.05. */
export interface ScoringWeights {
  quota?: number | undefined;
  health?: number | undefined;
  priority?: number | undefined;
  latency?: number | undefined;
}

/** Effects of outcomes on health and cooldowns. */
export interface HealthOptions {
  /** Time in which half of the missing health returns. 0: never without a success. Default 300. */
  decayHalfLifeSeconds?: number | undefined;
  /** Loss of health by `rate_limited` and `quota_exhausted`; default 0.25. */
  penalty429?: number | undefined;
  /** Loss of health by `forbidden`; default 0.5. */
  penalty403?: number | undefined;
  /** Loss of health by `server_error` and `overloaded`; default 0.1. */
  penalty5xx?: number | undefined;
  /** Loss of health by `timeout`; default 0.2. */
  penaltyTimeout?: number | undefined;
  /** Gain of health by `success`, and by `client_error` in the classic profile; default 0.02. */
  boostSuccess?: number | undefined;
  /**
   * Number of failures of one kind in a row that starts a cooldown. Default: 1 for `rate_limited`, and for other failures 3
   * if they are at least half of the outcomes of the last 500 ms. `quota_exhausted` and stated waits need no streak.
   */
  cooldownTriggerCount?: number | undefined;
  /** Growth of the cooldown with each failed trial; default 2. Below 1: none. */
  cooldownMultiplier?: number | undefined;
  /**
   * Longest cooldown that the provider did not ask for, the first one included; default 60,
   * 600 after `quota_exhausted`, and not less than `cooldownSeconds`.
   */
  maxCooldownSeconds?: number | undefined;
  /** Least health after a successful trial; default 0.9. */
  recoveredHealth?: number | undefined;
  /** Weight of the newest latency sample; default 0.3. */
  ewmaAlpha?: number | undefined;
  /** Health below which any failure starts a cooldown; default 0, which is off. */
  cooldownThreshold?: number | undefined;
  /**
   * Milliseconds after which one request tries a provider again that answered `unauthorized`; default 600_000. Doubled by
   * each further such answer, up to an hour. Infinity: never.
   */
  recheckDeadAfterMs?: number | undefined;
}

/** Options of a limiter. All have defaults, and all except the plug-ins and functions are plain data. */
export interface GrateLimiterOptions<P extends string = string, Routes extends Record<string, P> = Record<string, P>> {
  providers?: readonly ProviderConfig<P>[] | undefined;
  capabilities?: { [C in keyof Routes]: readonly CapabilityProvider<Routes[C] & string>[] } | undefined;
  pools?: { [name: string]: Omit<PoolConfig, "name"> } | undefined;
  /** Default "anticipatory". "classic": same answers as the packages for Rust and Python. */
  profile?: "anticipatory" | "classic" | undefined;
  /** Weights or a custom strategy; default `new WeightedScorer()`. */
  scoring?: ScoringWeights | ScoringStrategy | undefined;
  health?: HealthOptions | undefined;
  /** Health from 0 to 1 below which a provider is not eligible; default 0, which is off (classic 0.2). */
  minimumHealthScore?: number | undefined;
  /** Length of the first cooldown of a provider without `cooldownSeconds`; default 1 (classic 60). */
  defaultCooldownSeconds?: number | undefined;
  /** Default "score". "headroom" spreads the leases of processes that share keys but no state. */
  spread?: "score" | "headroom" | undefined;
  /**
   * Milliseconds after which an unsettled lease of `acquire` expires, or a stream that is not read; default 600_000. A task
   * that still runs after its time-out keeps its concurrency place for at most this time.
   */
  leaseTimeoutMs?: number | undefined;
  /** Largest credited network delay in milliseconds; default 1_000. Infinity: no limit. */
  skewCapMs?: number | undefined;
  /** Capacity of the wait queue; default 10_000. Items of `map` never fill it. */
  maxWaiting?: number | undefined;
  /**
   * Limits of each `fairnessKey` by itself, such as `{ rpm: 60, concurrency: 4 }`; default none. Calls without a key have none.
   * What is kept of a key is dropped when nothing of it is counted, waits or is in flight.
   */
  keyLimits?: KeyLimitsConfig | undefined;
  /** Most calls of one fairness key in the wait queue; default no limit. */
  maxWaitingPerKey?: number | undefined;
  /**
   * Retries that calls may add per minute to the requests of one provider, while it is not known to work again: `perMinute`
   * (default 10) + `ratio` (default 0.2) x requests. A call waits while the budget is empty. Infinity or false: no limit.
   */
  retryBudget?: { ratio?: number | undefined; perMinute?: number | undefined } | false | undefined;
  /** Store through which processes share the limits, such as `redisStore(client)`. Default none: this process has them. */
  store?: SharedStore | undefined;
  /**
   * What is granted while the store does not answer. "share" (default): each process uses limit / processes, as last known.
   * "wait": only what it has in hand. A process that has never reached the store waits.
   */
  whenStoreIsDown?: "share" | "wait" | undefined;
  /** Milliseconds of its own rate that a process asks for ahead of need; default 200. 0 for serverless functions. */
  aheadMs?: number | undefined;
  /** Milliseconds of silence after which a process counts as dead, and what it held is freed; default 10_000, at least 1_000. */
  processTtlMs?: number | undefined;
  /** Defaults for `acquire`, `run`, `stream` and `map`. */
  defaults?: RunDefaults | undefined;
  /**
   * State of an earlier process, from `limiter.snapshot()`; null or undefined: none. Parts for which the configuration has no
   * place are ignored.
   */
  snapshot?: LimiterSnapshot | null | undefined;
  /** Source of time; default `new RealClock()`. */
  clock?: Clock | undefined;
  /** Random numbers, uniform in [0, 1), for backoff and spread; default Math.random. */
  random?: (() => number) | undefined;
}
