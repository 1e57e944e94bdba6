import type { DialectName } from "./dialect-name.ts";
import type { Dimension } from "./dimension.ts";
import type { WindowSpec } from "./window.ts";

/**
 * Rolling limits under their usual names: requests, tokens, input tokens and output tokens per second, minute, hour or day
 * (any 24 hours). Numbers from 0; fractions are rounded down. Dollars are kept to the nearest micro-USD.
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
  /** Most requests in flight. Counts only requests with a lease. */
  concurrency?: number | undefined;
  /** Dollars per hour, counted by the provider's `price` or by the `costMicroUsd` of each request. */
  usdPerHour?: number | undefined;
  /** Dollars per day, counted in the same way. */
  usdPerDay?: number | undefined;
}

/** Names in `limits`, in the order in which their quotas are listed. */
export const LIMIT_NAMES: readonly (keyof Limits)[] = Object.keys({
  rps: null,
  rpm: null,
  rph: null,
  rpd: null,
  tpm: null,
  tph: null,
  tpd: null,
  itpm: null,
  otpm: null,
  concurrency: null,
  usdPerHour: null,
  usdPerDay: null,
} satisfies { [word in keyof Limits]-?: null }) as (keyof Limits)[];

/** One limit on one dimension. `limit` of "cost_usd" is in micro-USD, while `limits.usdPerDay` takes dollars. */
export type QuotaConfig =
  | { dimension: "concurrency"; limit: number }
  | {
      dimension: Dimension;
      limit: number;
      window: WindowSpec;
      /** Default "sliding_window", which is safe for servers that use any of the three. */
      strategy?: "sliding_window" | "token_bucket" | "fixed_window" | undefined;
      /** Size of a token bucket; default `limit`. */
      burst?: number | undefined;
      /** Any one reset of a fixed window, in Unix ms. */
      resetEpochMs?: number | undefined;
      /** true: the provider counts this amount when the response ends instead of when the request arrives. Default: of the dialect, else false. */
      countsAtEnd?: boolean | undefined;
      /** "excluded": reported `cachedInputTokens` count nothing here. For tokens and input tokens. Default: of the dialect, else "included". */
      cachedInput?: "included" | "excluded" | undefined;
    };

/** Price of a provider's requests. Completes reservations and usage without `costMicroUsd`. */
export interface Price {
  usdPerRequest?: number | undefined;
  usdPerMillionInputTokens?: number | undefined;
  usdPerMillionOutputTokens?: number | undefined;
}

/** Quotas that all providers with this pool share. */
export interface PoolConfig {
  name: string;
  limits?: Limits | undefined;
  quotas?: readonly QuotaConfig[] | undefined;
}

/** Limits of each fairness key by itself, over all providers together. */
export interface KeyLimitsConfig extends Limits {
  quotas?: readonly QuotaConfig[] | undefined;
  /** Further limits of each key, for the calls of one capability. */
  capabilities?: { readonly [capability: string]: Omit<KeyLimitsConfig, "capabilities"> | undefined } | undefined;
}

/** One upstream with its own limits: one account, key or model if limits differ between them. */
export interface ProviderConfig<P extends string = string> {
  name: P;
  /**
   * "headers": those that the responses report (`reported`, or the headers that `grate-limiter/http` reads). Until the first
   * report one request at a time is sent; if the first success reports none, there are no limits (event `limitsUnknown`).
   */
  limits?: Limits | "headers" | undefined;
  quotas?: readonly QuotaConfig[] | undefined;
  /**
   * Vendor, or "generic" for any other: decides how its own quotas count `maxOutputTokens`, cached input, output and unsuitable
   * requests, and how `grate-limiter/http` reads its headers. Holds no limits. Default: none; headers are detected.
   */
  dialect?: DialectName | undefined;
  /** Names of pools that the provider shares. */
  pools?: readonly string[] | undefined;
  price?: Price | undefined;
  /** Larger is preferred; default 10. */
  priority?: number | undefined;
  /** Factor from 0 on the score of WeightedScorer; other strategies read it from the context. Classic ignores it. Default 1. */
  weight?: number | undefined;
  /** true: gets no new requests; those in flight finish, and waiting calls go on waiting. Default false. */
  paused?: boolean | undefined;
  /** Unix time in milliseconds at which a pause ends; the wall clock is read once. Default: `paused` alone decides. */
  pausedUntil?: number | undefined;
  /** Length of the first cooldown; default `defaultCooldownSeconds`. */
  cooldownSeconds?: number | undefined;
}

/**
 * Changes to a provider, which keep its usage and health. A limit of `null` is removed. An entry of `quotas` replaces the
 * quota of the same dimension and window, or adds one.
 */
export type ProviderPatch = Omit<
  { [K in keyof ProviderConfig]?: ProviderConfig[K] | undefined },
  "name" | "limits" | "dialect"
> & {
  limits?: { [K in keyof Limits]: number | null | undefined } | undefined;
};

/** Name of a provider, or the name with a priority for this capability only. */
export type CapabilityProvider<P extends string = string> = P | { provider: P; priority?: number | undefined };

/** Name of a job and the providers that can do it; their order breaks ties. */
export interface CapabilityConfig<P extends string = string> {
  name: string;
  providers: readonly CapabilityProvider<P>[];
}
