import type { Clock } from "./clock.ts";
import type { CapabilityProvider, PoolConfig, ProviderConfig } from "./provider-config.ts";
import type { RunDefaults } from "./run-options.ts";
import type { ScoringStrategy } from "./scoring-strategy.ts";

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
