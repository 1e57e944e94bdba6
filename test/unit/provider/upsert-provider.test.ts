// upsertProvider of an existing provider: the parts that stay and the parts that start again.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GrateLimiter, MockClock, type ProviderConfig, type QuotaConfig, type Usage } from "../../../src/index.ts";

function one(config: Omit<ProviderConfig, "name">, pools?: ConstructorParameters<typeof GrateLimiter>[0]) {
  const clock = new MockClock();
  const limiter: GrateLimiter = new GrateLimiter({
    clock,
    ...pools,
    providers: [{ name: "only", ...config }],
    capabilities: { chat: ["only"] },
  });
  const use = (usage: Usage = {}) => limiter.observe({ provider: "only", usage, outcome: { status: "success" } });
  const used = () => limiter.forecast("only")!.map((quota) => quota.used);
  return { clock, limiter, use, used };
}

const window = fc.constantFrom(
  "second" as const,
  "minute" as const,
  { seconds: 60 },
  { seconds: 90.5 },
  { calendar: "day" as const },
  { calendar: "day" as const, timeZone: "UTC" },
  { calendar: "week" as const, timeZone: "Asia/Tokyo" },
);
const dimension = fc.constantFrom("requests" as const, "tokens" as const);
const limit = fc.constantFrom(50, 60, 60.9);
const quota: fc.Arbitrary<QuotaConfig> = fc.oneof(
  fc.record({ dimension, limit, window }),
  fc.record({
    dimension,
    limit,
    window: fc.constantFrom("minute" as const, { seconds: 60 }),
    strategy: fc.constant("token_bucket" as const),
    burst: fc.constantFrom(undefined, 60, 70),
  }),
  fc.record({
    dimension,
    limit,
    window: fc.constantFrom("minute" as const, { seconds: 60 }),
    strategy: fc.constant("fixed_window" as const),
    resetEpochMs: fc.constantFrom(undefined, 0, 5_000),
  }),
  fc.record({ dimension, limit, window: fc.constant("hour" as const), countsAtEnd: fc.boolean() }),
);

/** Equal for quotas that have the same meaning, whatever form they were declared in. */
function meaning(config: QuotaConfig): string {
  if (!("window" in config)) return `concurrency ${config.limit}`;
  const { window: over } = config;
  const seconds = { second: 1, minute: 60, hour: 3_600, day: 86_400 };
  const length =
    typeof over === "string"
      ? seconds[over]
      : "seconds" in over
        ? over.seconds
        : `${over.calendar} ${over.timeZone ?? "UTC"}`;
  const whole = Math.floor(config.limit);
  const calendar = typeof over === "object" && "calendar" in over;
  return JSON.stringify([
    ...[config.dimension, length, whole, calendar ? "fixed_window" : (config.strategy ?? "sliding_window")],
    ...[config.strategy === "token_bucket" ? Math.floor(config.burst ?? whole) : null],
    ...[config.resetEpochMs ?? null, config.countsAtEnd ?? false],
  ]);
}

describe("upsertProvider", () => {
  it("unchanged quotas keep their usage, repeated ones in their order, and all others start empty", () => {
    const quotas = fc.array(quota, { maxLength: 5 });
    fc.assert(
      fc.property(quotas, quotas, (before, fresh) => {
        const { limiter, use, used } = one({ quotas: before.slice(0, 3) });
        use({ requests: 2, tokens: 5 });
        // A second quota that was declared later has a different usage from the first.
        limiter.upsertProvider({ name: "only", quotas: before });
        use({ requests: 1, tokens: 3 });
        const left = limiter.forecast("only")!.map(({ used: amount }, i) => ({ meaning: meaning(before[i]!), amount }));
        const after = [...fresh, ...before.slice(1, 4)];
        const expected = after.map((config) => {
          const at = left.findIndex((had) => had.meaning === meaning(config));
          return at < 0 ? 0 : left.splice(at, 1)[0]!.amount;
        });
        limiter.upsertProvider({ name: "only", quotas: after });
        expect(used()).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });

  it("health, cooldown and latency stay, and everything else is replaced", () => {
    const { clock, limiter, use } = one({ priority: 3, weight: 2, price: { usdPerRequest: 1 }, limits: { rpm: 10 } });
    use();
    limiter.observe({ provider: "only", outcome: { status: "success", latencyMs: 40 } });
    limiter.observe({ provider: "only", outcome: { status: "rate_limited", retryAfterMs: 9_000 } });
    clock.advanceMs(4_000);
    const health = limiter.providerHealth("only");
    limiter.upsertProvider({ name: "only" });
    const [inspected] = limiter.inspect().providers;
    expect(inspected).toMatchObject({ health, latencyMs: 40, cooldownMs: 5_000, quotas: [] });
    limiter.reviveProvider("only");
    expect(limiter.select("chat").score).toBeCloseTo(0.4 + 0.35 + 0.2, 12);
  });

  it("declaring the same quotas again changes no answer", () => {
    const config = { name: "only", limits: { rpm: 10, tpm: 100 }, quotas: [requestsAn("hour", 50)] } as const;
    const { limiter, use } = one(config);
    use({ tokens: 30 });
    const before = JSON.stringify(limiter.inspect().providers);
    for (let i = 0; i < 10; i++) limiter.upsertProvider({ ...config });
    expect(JSON.stringify(limiter.inspect().providers)).toBe(before);
  });

  it("the provider does not keep the object of the caller, so later changes of it have no effect", () => {
    const config = {
      name: "only",
      limits: { rpm: 10 },
      quotas: [{ dimension: "tokens" as const, limit: 100, window: { seconds: 30 } }],
      price: { usdPerRequest: 1 },
      priority: 5,
    };
    const { limiter } = one({});
    limiter.upsertProvider(config);
    const before = JSON.stringify(limiter.inspect());
    config.limits.rpm = 99;
    config.quotas[0]!.limit = 99;
    config.quotas[0]!.window.seconds = 99;
    config.quotas.push(config.quotas[0]!);
    config.priority = 0;
    config.price.usdPerRequest = 99;
    expect(JSON.stringify(limiter.inspect())).toBe(before);
    expect(limiter.select("chat").breakdown.priorityScore).toBe(1);
  });

  it("quotas are listed with limits first, in the order of their words, then quotas, then pools", () => {
    const { limiter } = one(
      { quotas: [requestsAn("hour", 7)], limits: { concurrency: 2, tpm: 5, rpm: 3 }, pools: ["late", "early"] },
      { pools: { early: { limits: { rpd: 1 } }, late: { limits: { rpd: 2 } } } },
    );
    expect(limiter.forecast("only")!.map((forecast) => [forecast.dimension, forecast.limit, forecast.pool])).toEqual([
      ["requests", 3, null],
      ["tokens", 5, null],
      ["concurrency", 2, null],
      ["requests", 7, null],
      ["requests", 2, "late"],
      ["requests", 1, "early"],
    ]);
  });
});

describe("a provider", () => {
  it("a removed provider is unknown, and starts again when it is declared again", () => {
    const { limiter, use } = one({ limits: { rpm: 10 } });
    use({ requests: 4 });
    limiter.observe({ provider: "only", outcome: { status: "unauthorized" } });
    expect(limiter.removeProvider("only")).toBe(true);
    expect(limiter.removeProvider("only")).toBe(false);
    expect(limiter.providerHealth("only")).toBeNull();
    expect(limiter.providerInCooldown("only")).toBeNull();
    expect(limiter.remainingQuota("only", "requests")).toBeNull();
    expect(limiter.forecast("only")).toBeNull();
    expect(limiter.inspect().providers).toEqual([]);
    expect(() => limiter.observe({ provider: "only", outcome: { status: "success" } })).toThrow();
    limiter.upsertProvider({ name: "only", limits: { rpm: 10 } });
    expect(limiter.select("chat").provider).toBe("only");
    expect(limiter.remainingQuota("only", "requests")).toBe(10);
  });

  it("the queries of a provider return null for missing values, never undefined or -1", () => {
    const { limiter } = one({ limits: { rpm: 10 } });
    expect(limiter.remainingQuota("only", "tokens")).toBeNull();
    expect(limiter.remainingQuota("only", "requests", "hour")).toBeNull();
    expect(limiter.remainingQuota("only", "requests", { seconds: 60 })).toBe(10);
    expect(limiter.inspect().providers[0]!.latencyMs).toBeNull();
    for (const unknown of ["onl", "", "__proto__", "toString"]) {
      expect(limiter.providerHealth(unknown)).toBeNull();
      expect(limiter.providerInCooldown(unknown)).toBeNull();
      expect(limiter.providerQuotaRemaining(unknown, "requests")).toBeNull();
      expect(limiter.forecast(unknown)).toBeNull();
    }
  });

  it("the remaining amount of a dimension is that of its smallest quota, or of the quota with the given window", () => {
    const { limiter, use } = one(
      { quotas: [requestsAn("minute", 10), requestsAn("hour", 12), requestsAn({ seconds: 60 }, 9)], pools: ["org"] },
      { pools: { org: { limits: { rpd: 11 } } } },
    );
    expect(limiter.remainingQuota("only", "requests")).toBe(9);
    use({ requests: 2 });
    expect(limiter.remainingQuota("only", "requests")).toBe(7);
    expect(limiter.remainingQuota("only", "requests", "minute")).toBe(7);
    expect(limiter.remainingQuota("only", "requests", "hour")).toBe(10);
    expect(limiter.remainingQuota("only", "requests", { seconds: 86_400 })).toBe(9);
    expect(limiter.providerQuotaRemaining("only", "requests", "day")).toBe(9);
  });
});

function requestsAn(over: "minute" | "hour" | { seconds: number }, of: number): QuotaConfig {
  return { dimension: "requests", limit: of, window: over };
}
