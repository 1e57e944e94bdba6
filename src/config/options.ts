import type { Clock } from "../clock/clock.ts";
import type { RunDefaults } from "../run/run-options.ts";
import type { ScoringStrategy } from "../scoring/scoring-strategy.ts";
import type { Dimension } from "./dimension.ts";
import type { WindowSpec } from "./window.ts";

/**
 * Rolling limits in the words people use: requests, tokens, input tokens and output tokens per second, minute, hour or
 * day (`d` is any 24 hours). Numbers from 0; fractions round down; dollars are dollars, kept to the nearest micro-USD.
 */
export interface Limits {
  rps?: number | undefined;
  rpm?: number | undefined;
  rph?: number | undefined;
  rpd?: number | undefined;
  tpm?: number | undefined;
  tph?: number | undefined;
  tpd?: number | undefined;
  itpm?: number | undefined;
  otpm?: number | undefined;
  /** Requests at once; holds those that have a lease, `observe` alone takes no place. */
  concurrency?: number | undefined;
  /** Dollars, like `usdPerDay`; counts by the provider's `price`, or what each observation tells as `costMicroUsd`. */
  usdPerHour?: number | undefined;
  usdPerDay?: number | undefined;
}

/** One limit; `limit` of "cost_usd" is in micro-USD, as in the ports (`limits.usdPerDay` takes dollars). */
export type QuotaConfig =
  | { dimension: "concurrency"; limit: number }
  | {
      dimension: Dimension;
      limit: number;
      window: WindowSpec;
      /** Default "sliding_window": safe against all three. */
      strategy?: "sliding_window" | "token_bucket" | "fixed_window" | undefined;
      /** token_bucket: bucket size, default `limit`. */
      burst?: number | undefined;
      /** fixed_window: one known reset instant, Unix ms. */
      resetEpochMs?: number | undefined;
      /** true: the server counts this amount when the response ends, not when the request arrives; default false. */
      countsAtEnd?: boolean | undefined;
    };

/** What a provider charges; fills `costMicroUsd` of reservations and usage that do not say it. */
export interface Price {
  usdPerRequest?: number | undefined;
  usdPerMillionInputTokens?: number | undefined;
  usdPerMillionOutputTokens?: number | undefined;
}

/** Quotas that every provider naming the pool draws from together. */
export interface PoolConfig {
  name: string;
  limits?: Limits | undefined;
  quotas?: readonly QuotaConfig[] | undefined;
}

/** One routable upstream: one (account, key, model) if limits differ per key or model. */
export interface ProviderConfig<P extends string = string> {
  name: P;
  limits?: Limits | undefined;
  quotas?: readonly QuotaConfig[] | undefined;
  /** Names of pools this provider also draws from. */
  pools?: readonly string[] | undefined;
  price?: Price | undefined;
  /** Larger is preferred; default 10. */
  priority?: number | undefined;
  /** 0 or more; multiplies the WeightedScorer's score, other strategies read it from the context; classic ignores it; default 1. */
  weight?: number | undefined;
  /** true: takes no new request, those in flight finish; default false. */
  paused?: boolean | undefined;
  /** First cooldown; default `defaultCooldownSeconds`. */
  cooldownSeconds?: number | undefined;
}

/** A change that keeps usage and health; `null` removes a limit; `quotas` adds or replaces by (dimension, window) and removes none. */
export type ProviderPatch = Omit<{ [K in keyof ProviderConfig]?: ProviderConfig[K] | undefined }, "name" | "limits"> & {
  limits?: { [K in keyof Limits]: number | null | undefined } | undefined;
};

/** A provider's name, or the name with a priority for this capability only. */
export type CapabilityProvider<P extends string = string> = P | { provider: P; priority?: number | undefined };

/** What callers want done, and the providers that can do it, in the order in which ties are broken. */
export interface CapabilityConfig<P extends string = string> {
  name: string;
  providers: readonly CapabilityProvider<P>[];
}

/** Weights of the four parts, each from 0; each missing one keeps its default (0.40, 0.35, 0.20, 0.05); any sum. */
export interface ScoringWeights {
  quota?: number | undefined;
  health?: number | undefined;
  priority?: number | undefined;
  latency?: number | undefined;
}

/** How outcomes move health and cooldowns; every field has the default named with it. */
export interface HealthOptions {
  /** Time in which half of what is missing to full health comes back; 0: it never does by itself; default 300. */
  decayHalfLifeSeconds?: number | undefined;
  /** Taken from health by `rate_limited` and `quota_exhausted`; default 0.25. */
  penalty429?: number | undefined;
  /** Taken by `forbidden`; default 0.5. */
  penalty403?: number | undefined;
  /** Taken by `server_error` and `overloaded`; default 0.1. */
  penalty5xx?: number | undefined;
  /** Taken by `timeout`; default 0.2. */
  penaltyTimeout?: number | undefined;
  /** Given by `success` and `client_error`; default 0.02. */
  boostSuccess?: number | undefined;
  /** Failures of one kind in a row that start a cooldown; default 3. */
  cooldownTriggerCount?: number | undefined;
  /** By how much each further cooldown is longer; default 2. */
  cooldownMultiplier?: number | undefined;
  /** Longest cooldown that is not the provider's own word; default 600. */
  maxCooldownSeconds?: number | undefined;
  /** Health after a successful trial, at least; default 0.9. */
  recoveredHealth?: number | undefined;
  /** Weight of the newest latency sample; default 0.3. */
  ewmaAlpha?: number | undefined;
  /** Health below which a failure starts a cooldown at once; default off. */
  cooldownThreshold?: number | undefined;
}

/** Usage, health, cooldowns and learned ceilings as JSON-safe data. */
export interface Snapshot {
  readonly version: number;
  readonly takenEpochMs: number;
  readonly state: unknown;
}

/** Everything a limiter is made from; all of it has defaults, and all of it but the plug-ins is plain data. */
export interface GrateLimiterOptions<P extends string = string, Routes extends Record<string, P> = Record<string, P>> {
  providers?: readonly ProviderConfig<P>[] | undefined;
  capabilities?: { [C in keyof Routes]: readonly CapabilityProvider<Routes[C] & string>[] } | undefined;
  pools?: { [name: string]: Omit<PoolConfig, "name"> } | undefined;
  /** Default "anticipatory"; "classic" answers as the Rust and Python engines. */
  profile?: "anticipatory" | "classic" | undefined;
  /** Weights, or a strategy of one's own; default `new WeightedScorer()`. */
  scoring?: ScoringWeights | ScoringStrategy | undefined;
  health?: HealthOptions | undefined;
  /** Health below which a provider is not used, 0 to 1; default 0.2. */
  minimumHealthScore?: number | undefined;
  /** Default 60. */
  defaultCooldownSeconds?: number | undefined;
  /** "headroom" spreads the leases of processes that share keys without sharing state; default "score". */
  spread?: "score" | "headroom" | undefined;
  /** How long an unsettled lease lives (ms); default 600_000. */
  leaseTimeoutMs?: number | undefined;
  /** Longest correction for network delay (ms); default 1_000; Infinity: whatever the delay. */
  skewCapMs?: number | undefined;
  /** Longest line in `acquire`; default 10_000; `map` never fills it. */
  maxWaiting?: number | undefined;
  /** Retries this limiter may add: a share of the requests of the last minute, plus a floor; default 0.1 and 10. */
  retryBudget?: { ratio?: number | undefined; perMinute?: number | undefined } | undefined;
  /** Defaults for every `acquire`, `run`, `stream` and `map`. */
  defaults?: RunDefaults | undefined;
  /** Not used yet. State of an earlier process; absent, null or of an unknown version: start fresh. Configuration never comes from it. */
  snapshot?: Snapshot | null | undefined;
  clock?: Clock | undefined;
  /** Uniform in [0, 1), for backoff and spread; default Math.random, so that processes do not march in step. */
  random?: (() => number) | undefined;
}
