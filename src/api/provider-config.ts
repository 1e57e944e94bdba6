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

/** The words of `limits`, in the order in which the quotas made from them are listed. */
export const LIMIT_NAMES: readonly (keyof Limits)[] = Object.keys({
  rps: true,
  rpm: true,
  rph: true,
  rpd: true,
  tpm: true,
  tph: true,
  tpd: true,
  itpm: true,
  otpm: true,
  concurrency: true,
  usdPerHour: true,
  usdPerDay: true,
} satisfies { [word in keyof Limits]-?: true }) as (keyof Limits)[];

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
