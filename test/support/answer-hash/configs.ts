import {
  type CapabilityProvider,
  type Dimension,
  type HealthOptions,
  type Limits,
  type PoolConfig,
  type Price,
  type ProviderConfig,
  type ProviderPatch,
  type QuotaConfig,
  Window,
  type WindowSpec,
} from "../../../src/index.ts";
import type { Random } from "./random.ts";

export type ProfileName = "anticipatory" | "classic";

const WINDOWS: readonly WindowSpec[] = [
  ...(["second", "minute", "minute", "hour", "day"] as const),
  ...[{ seconds: 2.5 }, { seconds: 7 }, { seconds: 90 }, { seconds: 600 }, { seconds: 0.3 }],
];
/** Rare, because the engine takes a millisecond for each look at the end of a calendar period. */
const CALENDARS: readonly WindowSpec[] = [
  { calendar: "day" },
  { calendar: "day", timeZone: "America/New_York" },
  { calendar: "day", timeZone: "Asia/Kolkata" },
  { calendar: "week", timeZone: "Europe/Berlin" },
  { calendar: "month", timeZone: "Pacific/Auckland" },
];
const DAY_MS = 86_400_000;
const NAMED_MS = { second: 1_000, minute: 60_000, hour: 3_600_000, day: DAY_MS } as const;
const CALENDAR_MS = { day: DAY_MS, week: 7 * DAY_MS, month: 30 * DAY_MS } as const;

const DIMENSIONS: readonly Dimension[] = [
  ...(["requests", "requests", "requests", "tokens", "tokens"] as const),
  ...(["input_tokens", "output_tokens", "concurrency", "cost_usd", "bytes"] as const),
];
const CLASSIC_DIMENSIONS: readonly Dimension[] = ["requests", "requests", "tokens", "concurrency", "cost_usd", "bytes"];
/** About how much of each dimension one request takes. */
const SIZES: { readonly [dimension in Dimension]: number } = {
  ...{ requests: 1, tokens: 40, input_tokens: 25, output_tokens: 25, concurrency: 1, cost_usd: 2_000, bytes: 200 },
};
const LIMIT_WORDS: readonly (readonly [keyof Limits, Dimension, WindowSpec])[] = [
  ["rps", "requests", "second"],
  ["rpm", "requests", "minute"],
  ["rpm", "requests", "minute"],
  ["rph", "requests", "hour"],
  ["rpd", "requests", "day"],
  ["tpm", "tokens", "minute"],
  ["tph", "tokens", "hour"],
  ["tpd", "tokens", "day"],
  ["usdPerHour", "cost_usd", "hour"],
  ["usdPerDay", "cost_usd", "day"],
  ["itpm", "input_tokens", "minute"],
  ["otpm", "output_tokens", "minute"],
];
// The last two words are unknown to the classic profile.
const CLASSIC_WORDS = LIMIT_WORDS.slice(0, -2);
const QUOTAS_KEPT = 8;
const POOLS = ["org", "key"] as const;
const PROVIDERS = ["a", "b", "c", "d", "e", "f"] as const;
const CAPABILITIES = ["chat", "embed", "rank"] as const;

/** About how long a window is. */
function lengthMs(window: WindowSpec): number {
  if (typeof window === "string") return NAMED_MS[window];
  return "seconds" in window ? window.seconds * 1_000 : CALENDAR_MS[window.calendar];
}

/** Random configuration of one world; limits are small, so that they are often reached at the world's pace. */
export class Configs {
  readonly isClassic: boolean;
  readonly random: Random;
  /** About how far apart the operations are. */
  readonly paceMs: number;
  /** How many of 100 outcomes are drawn from all statuses; the others are successes. */
  readonly failurePercent: number;
  readonly providers: readonly string[];
  readonly capabilities: readonly string[];
  readonly pools: readonly string[];
  readonly windows: readonly WindowSpec[];
  /** True if a quota resets by the wall clock: a waiter evaluates it every minute. */
  hasReviews = false;
  readonly #quotas: QuotaConfig[] = [];
  readonly #providers = new Map<string, ProviderConfig>();

  /** `calendar` is the index of the calendar window that this world has; null: none. */
  constructor(random: Random, profile: ProfileName, calendar: number | null) {
    this.random = random;
    this.isClassic = profile === "classic";
    this.paceMs = random.pick([20, 100, 400, 1_500, 6_000]);
    this.failurePercent = random.pick([10, 40, 100]);
    this.providers = PROVIDERS.slice(0, random.int(1, 6));
    this.capabilities = CAPABILITIES.slice(0, random.int(1, 3));
    this.pools = this.isClassic ? [] : POOLS.slice(0, random.int(0, 2));
    const known = this.isClassic ? Object.values(Window) : WINDOWS;
    const third = calendar === null ? random.pick(known) : CALENDARS[calendar % CALENDARS.length]!;
    this.windows = [random.pick(known), random.pick(known), third];
    if (calendar !== null) this.hasReviews = true;
  }

  /** About how long one of the world's windows is. */
  windowMs(): number {
    return lengthMs(this.random.pick(this.windows));
  }

  /** Often one that differs little from an earlier one, so that usage is kept or carried over. */
  quota(): QuotaConfig {
    const { random } = this;
    const earlier = random.chance(45) ? random.pick([...this.#quotas, undefined]) : undefined;
    const quota = earlier === undefined ? this.#newQuota() : this.#variant(earlier);
    this.#quotas.push(quota);
    if (this.#quotas.length > QUOTAS_KEPT) this.#quotas.shift();
    return quota;
  }

  #variant(quota: QuotaConfig): QuotaConfig {
    const { random } = this;
    const limit = random.chance(60) ? Math.ceil((quota.limit * random.int(5, 20)) / 10) : quota.limit;
    if (this.isClassic || quota.dimension === "concurrency" || !("window" in quota)) return { ...quota, limit };
    const countsAtEnd = random.chance(40) ? !quota.countsAtEnd : quota.countsAtEnd;
    const isCalendar = typeof quota.window === "object" && "calendar" in quota.window;
    if (isCalendar || random.chance(60)) return { ...quota, limit, countsAtEnd };
    const strategy = random.pick(["sliding_window", "token_bucket", "fixed_window"] as const);
    return { ...quota, limit, countsAtEnd, strategy, burst: undefined, resetEpochMs: undefined };
  }

  #newQuota(): QuotaConfig {
    const { random } = this;
    const dimension = random.pick(this.isClassic ? CLASSIC_DIMENSIONS : DIMENSIONS);
    if (dimension === "concurrency") return { dimension, limit: random.int(1, 4) };
    const window = random.pick(this.windows);
    const limit = this.#limit(dimension, window);
    if (this.isClassic) return { dimension, limit, window };
    const countsAtEnd = random.maybe(15, () => true);
    if (typeof window === "object" && "calendar" in window) return { dimension, limit, window, countsAtEnd };
    const strategy = random.pick(["sliding_window", "token_bucket", "fixed_window", undefined] as const);
    const burst =
      strategy === "token_bucket" ? random.maybe(60, () => Math.ceil((limit * random.int(2, 15)) / 10)) : undefined;
    const resetEpochMs =
      strategy === "fixed_window" ? random.maybe(50, () => random.int(0, 2 ** 31) * 640 + 0.5) : undefined;
    if (resetEpochMs !== undefined) this.hasReviews = true;
    return { dimension, limit, window, strategy, burst, resetEpochMs, countsAtEnd };
  }

  limits(): Limits {
    const { random } = this;
    const limits: Limits = {};
    for (let left = random.int(1, 2); left > 0; left--) {
      const [word, dimension, window] = random.pick(this.isClassic ? CLASSIC_WORDS : LIMIT_WORDS);
      const limit = this.#limit(dimension, window);
      limits[word] = dimension === "cost_usd" ? limit / 1_000_000 : limit;
    }
    if (random.chance(25)) limits.concurrency = random.int(1, 4);
    return limits;
  }

  price(): Price {
    const { random } = this;
    return {
      usdPerRequest: random.maybe(60, () => random.int(0, 20) / 10_000),
      usdPerMillionInputTokens: random.maybe(70, () => random.int(1, 40)),
      usdPerMillionOutputTokens: random.maybe(70, () => random.int(1, 80)),
    };
  }

  /** At times the provider's last configuration, with at most some other quotas. */
  provider(name: string): ProviderConfig {
    const { random } = this;
    const last = this.#providers.get(name);
    let config: ProviderConfig;
    if (last === undefined || random.chance(60)) config = this.#newProvider(name);
    else config = random.chance(30) ? last : { ...last, quotas: [this.quota(), this.quota()] };
    this.#providers.set(name, config);
    return config;
  }

  #newProvider(name: string): ProviderConfig {
    const { random } = this;
    const common = {
      name,
      limits: random.maybe(55, () => this.limits()),
      quotas: random.maybe(60, () => [this.quota(), ...(random.chance(40) ? [this.quota()] : [])]),
      priority: random.maybe(60, () => random.int(0, 20)),
      weight: random.maybe(30, () => random.int(0, 20) / 10),
      cooldownSeconds: random.maybe(70, () => (this.paceMs * random.int(0, 25)) / 1_000),
    };
    if (this.isClassic) return common;
    return {
      ...common,
      pools: random.maybe(50, () => random.subset(this.pools)),
      price: random.maybe(45, () => this.price()),
      paused: random.maybe(3, () => true),
    };
  }

  patch(): ProviderPatch {
    const { random } = this;
    const word = random.pick(this.isClassic ? CLASSIC_WORDS : LIMIT_WORDS)[0];
    return {
      limits: random.maybe(60, () => ({ ...this.limits(), ...(random.chance(35) && { [word]: null }) })),
      quotas: random.maybe(30, () => [this.quota()]),
      priority: random.maybe(25, () => random.int(0, 20)),
      weight: random.maybe(20, () => random.int(1, 20) / 10),
      cooldownSeconds: random.maybe(15, () => (this.paceMs * random.int(0, 25)) / 1_000),
      pools: this.isClassic ? undefined : random.maybe(25, () => random.subset(this.pools)),
      price: this.isClassic ? undefined : random.maybe(20, () => this.price()),
      paused: this.isClassic ? undefined : random.maybe(15, () => random.chance(30)),
    };
  }

  pool(): Omit<PoolConfig, "name"> {
    const { random } = this;
    return { limits: random.maybe(50, () => this.limits()), quotas: random.maybe(60, () => [this.quota()]) };
  }

  /** Providers of a capability: mostly all, so that capabilities share them; at times one that is not registered. */
  listed(): CapabilityProvider[] {
    const { random } = this;
    const names = random.chance(60) ? [...this.providers] : random.subset(this.providers);
    if (random.chance(8)) names.push("missing");
    return names.map((provider) =>
      random.chance(15) ? { provider, priority: random.maybe(80, () => random.int(0, 20)) } : provider,
    );
  }

  health(): HealthOptions {
    const { random } = this;
    const common = {
      decayHalfLifeSeconds: random.maybe(50, () => random.pick([0, 0.5, 10, 60, 3_600])),
      penalty429: random.maybe(30, () => random.int(0, 10) / 10),
      penalty403: random.maybe(30, () => random.int(0, 10) / 10),
      penalty5xx: random.maybe(30, () => random.int(0, 10) / 10),
      penaltyTimeout: random.maybe(30, () => random.int(0, 10) / 10),
      boostSuccess: random.maybe(40, () => random.int(0, 30) / 100),
      cooldownTriggerCount: random.maybe(80, () => random.int(1, 2)),
      cooldownMultiplier: random.maybe(40, () => random.int(10, 30) / 10),
      maxCooldownSeconds: random.maybe(60, () => (this.paceMs * random.int(2, 40)) / 1_000),
    };
    if (this.isClassic) return common;
    return {
      ...common,
      recoveredHealth: random.maybe(30, () => random.int(2, 10) / 10),
      ewmaAlpha: random.maybe(30, () => random.int(0, 10) / 10),
      cooldownThreshold: random.maybe(20, () => random.int(0, 8) / 10),
    };
  }

  #limit(dimension: Dimension, window: WindowSpec): number {
    const { random } = this;
    if (random.chance(1)) return 0;
    const share = random.pick([3, 6, 12, 25]) / 100;
    // The classic profile has no leases that wait: its score is of interest between empty and full, too.
    const requests = Math.min(this.isClassic ? 300 : 25, Math.max(1, (lengthMs(window) / this.paceMs) * share));
    const isWhole = dimension === "requests" || random.chance(80);
    const limit = Math.max(1, requests) * SIZES[dimension];
    return isWhole ? Math.ceil(limit) : limit;
  }
}
