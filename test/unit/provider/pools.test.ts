// Quotas that several providers share.
import { describe, expect, it } from "vitest";
import { GrateLimiter, MockClock, type PoolConfig, type Usage } from "../../../src/index.ts";

function two(pool: Omit<PoolConfig, "name">, keys: readonly string[] = ["org"]) {
  const clock = new MockClock();
  const limiter: GrateLimiter = new GrateLimiter({
    clock,
    pools: { org: pool },
    providers: [{ name: "key-1", pools: keys }, { name: "key-2", pools: keys }, { name: "stranger" }],
    capabilities: { chat: ["key-1", "key-2"] },
  });
  const use = (provider: string, usage: Usage = {}) =>
    limiter.observe({ provider, usage, outcome: { status: "success" } });
  return { clock, limiter, use };
}

describe("a pool", () => {
  it("a pool counts the requests of all its providers", () => {
    const { clock, limiter, use } = two({ limits: { rpm: 10 } });
    use("key-1", { requests: 6 });
    use("key-2", { requests: 3 });
    use("stranger", { requests: 8 });
    for (const key of ["key-1", "key-2"]) {
      expect(limiter.remainingQuota(key, "requests")).toBe(1);
      expect(limiter.forecast(key)).toMatchObject([{ pool: "org", used: 9, remaining: 1, limit: 10 }]);
    }
    expect(limiter.remainingQuota("stranger", "requests")).toBeNull();
    use("key-2");
    expect(limiter.select("chat").waitMs).toBe(60_000);
    clock.advanceSecs(60);
    expect(limiter.select("chat").waitMs).toBe(0);
  });

  it("a pool that a provider names twice counts once", () => {
    const { limiter, use } = two({ limits: { rpm: 10 } }, ["org", "org"]);
    use("key-1", { requests: 3 });
    expect(limiter.forecast("key-1")).toHaveLength(1);
    expect(limiter.remainingQuota("key-2", "requests")).toBe(7);
  });

  it("a pool uses the price and the dimensions of each provider", () => {
    const { limiter, use } = two({ limits: { usdPerDay: 10, tpm: 1_000 } });
    limiter.updateProvider("key-1", { price: { usdPerRequest: 1 } });
    limiter.updateProvider("key-2", { price: { usdPerMillionInputTokens: 1_000 } });
    use("key-1", { tokens: 5 });
    use("key-2", { inputTokens: 500 });
    expect(limiter.remainingQuota("key-1", "cost_usd")).toBe(8_500_000);
    expect(limiter.remainingQuota("key-1", "tokens")).toBe(495);
  });

  it("a pool keeps its usage when it is declared again, with other limits or none", () => {
    const { limiter, use } = two({ limits: { rpm: 10, tpm: 100 } });
    use("key-1", { requests: 6, tokens: 40 });
    limiter.upsertPool({ name: "org", limits: { rpm: 20 }, quotas: [{ dimension: "bytes", limit: 5, window: "day" }] });
    expect(limiter.remainingQuota("key-1", "requests")).toBe(14);
    expect(limiter.remainingQuota("key-2", "requests")).toBe(14);
    expect(limiter.remainingQuota("key-2", "tokens")).toBeNull();
    expect(limiter.remainingQuota("key-2", "bytes")).toBe(5);
    limiter.upsertPool({ name: "org" });
    expect(limiter.forecast("key-1")).toEqual([]);
  });

  it("a pool starts empty if its strategy changes", () => {
    const { limiter, use } = two({ limits: { rpm: 10 } });
    use("key-1", { requests: 6 });
    limiter.upsertPool({
      name: "org",
      quotas: [{ dimension: "requests", limit: 10, window: "minute", strategy: "fixed_window" }],
    });
    expect(limiter.remainingQuota("key-1", "requests")).toBe(10);
  });

  it("a pool survives the removal of its providers", () => {
    const { limiter, use } = two({ limits: { rpm: 10 } });
    use("key-1", { requests: 4 });
    limiter.removeProvider("key-1");
    limiter.upsertProvider({ name: "key-1", pools: ["org"] });
    limiter.upsertProvider({ name: "key-2", pools: ["org"], limits: { rpm: 3 } });
    expect(limiter.remainingQuota("key-1", "requests")).toBe(6);
    expect(limiter.remainingQuota("key-2", "requests")).toBe(3);
    limiter.upsertProvider({ name: "key-2" });
    expect(limiter.remainingQuota("key-2", "requests")).toBeNull();
  });

  it("a pool that is declared later can be named from then on", () => {
    const { limiter } = two({});
    const config = { name: "key-3", pools: ["late"] };
    expect(() => limiter.upsertProvider(config)).toThrow(
      expect.objectContaining({
        code: "invalid_config",
        problems: [expect.objectContaining({ path: "pools[0]", got: '"late"' })],
      }),
    );
    expect(limiter.providerHealth("key-3")).toBeNull();
    limiter.upsertPool({ name: "late", limits: { rpm: 2 } });
    limiter.upsertProvider(config);
    expect(limiter.remainingQuota("key-3", "requests")).toBe(2);
  });
});
