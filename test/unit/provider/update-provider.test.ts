// updateProvider changes parts of a provider and keeps usage, health and everything that the patch does not name.
import { describe, expect, it } from "vitest";
import { GrateLimiter, MockClock, type ProviderConfig, type ProviderPatch, type Usage } from "../../../src/index.ts";

function one(config: Omit<ProviderConfig, "name"> = {}) {
  const clock = new MockClock();
  const limiter: GrateLimiter = new GrateLimiter({
    clock,
    pools: { org: { limits: { rpm: 1_000 } }, team: { limits: { rph: 500 } } },
    providers: [{ name: "only", ...config }],
    capabilities: { chat: ["only"] },
  });
  const use = (usage: Usage = {}) => limiter.observe({ provider: "only", usage, outcome: { status: "success" } });
  const update = (patch: ProviderPatch) => limiter.updateProvider("only", patch);
  /** Dimension, window, limit and usage of each quota. */
  const quotas = () =>
    limiter
      .forecast("only")!
      .map(({ dimension, window, limit, used, pool }) => [dimension, window, limit, used, ...(pool ? [pool] : [])]);
  return { clock, limiter, use, update, quotas };
}

describe("updateProvider", () => {
  it("updateProvider of an unknown name throws with a suggestion", () => {
    const { limiter } = one();
    expect(() => limiter.updateProvider("onyl", {})).toThrow(
      expect.objectContaining({ code: "unknown_provider", provider: "onyl", message: expect.stringContaining("only") }),
    );
  });

  it("an empty patch changes nothing", () => {
    const { limiter, use, update } = one({ limits: { rpm: 10 }, pools: ["org"], paused: true, weight: 2 });
    use({ requests: 3 });
    const before = JSON.stringify(limiter.inspect());
    update({});
    update({ limits: {}, quotas: [], priority: undefined, paused: undefined, pools: undefined });
    update({ limits: { rpm: undefined, tpm: null } });
    expect(JSON.stringify(limiter.inspect())).toBe(before);
  });

  it("a limit can be raised and lowered, and its usage stays", () => {
    const { update, use, quotas, limiter } = one({ limits: { rpm: 100, tpm: 1_000 } });
    use({ requests: 40, tokens: 70 });
    update({ limits: { rpm: 200 } });
    expect(quotas()).toEqual([
      ["requests", "minute", 200, 40],
      ["tokens", "minute", 1_000, 70],
    ]);
    update({ limits: { rpm: 30 } });
    expect(limiter.remainingQuota("only", "requests")).toBe(0);
    update({ limits: { rpm: 50 } });
    expect(limiter.remainingQuota("only", "requests")).toBe(10);
  });

  it("moved usage is released when the old quota would have released it", () => {
    const { clock, update, use, limiter } = one({ limits: { rpm: 10 } });
    use({ requests: 6 });
    clock.advanceSecs(20);
    use({ requests: 3 });
    clock.advanceSecs(20);
    update({ limits: { rpm: 20 } });
    expect(limiter.remainingQuota("only", "requests")).toBe(11);
    clock.advanceMs(19_999);
    expect(limiter.remainingQuota("only", "requests")).toBe(11);
    clock.advanceMs(1);
    expect(limiter.remainingQuota("only", "requests")).toBe(17);
    clock.advanceSecs(20);
    expect(limiter.remainingQuota("only", "requests")).toBe(20);
  });

  it("a patch replaces every own quota of the same dimension and length of window", () => {
    const { update, use, quotas } = one({
      limits: { rpm: 10, tpm: 90 },
      quotas: [
        { dimension: "requests", limit: 12, window: { seconds: 60 } },
        { dimension: "requests", limit: 50, window: "hour" },
      ],
    });
    use({ requests: 4 });
    update({ quotas: [{ dimension: "requests", limit: 33, window: { seconds: 60 } }] });
    expect(quotas()).toEqual([
      ["requests", { seconds: 60 }, 33, 4],
      ["tokens", "minute", 90, 0],
      ["requests", "hour", 50, 4],
    ]);
  });

  it("a new quota is added empty, and the others stay", () => {
    const { update, use, quotas } = one({ limits: { rpm: 10 } });
    use({ requests: 4, tokens: 5 });
    update({ limits: { rpd: 99 }, quotas: [{ dimension: "tokens", limit: 70, window: { calendar: "day" } }] });
    expect(quotas()).toEqual([
      ["requests", "minute", 10, 4],
      ["requests", "day", 99, 0],
      ["tokens", { calendar: "day" }, 70, 0],
    ]);
  });

  it("null removes every own quota with that word, and does nothing if none exists", () => {
    const { update, quotas, limiter } = one({
      limits: { rpm: 10, concurrency: 4, usdPerDay: 1 },
      quotas: [{ dimension: "requests", limit: 8, window: { seconds: 60 } }],
      pools: ["org"],
    });
    update({ limits: { rpm: null, concurrency: null, tpd: null } });
    expect(quotas()).toEqual([
      ["cost_usd", "day", 1_000_000, 0],
      ["requests", "minute", 1_000, 0, "org"],
    ]);
    update({ limits: { usdPerDay: null } });
    expect(limiter.remainingQuota("only", "cost_usd")).toBeNull();
  });

  it("a quota starts empty if its strategy changes", () => {
    const { update, use, quotas } = one({ limits: { rpm: 10 } });
    use({ requests: 4 });
    for (const strategy of ["token_bucket", "fixed_window", "sliding_window"] as const) {
      update({ quotas: [{ dimension: "requests", limit: 20, window: "minute", strategy }] });
      expect(quotas()).toEqual([["requests", "minute", 20, 0]]);
      use({ requests: 7 });
      update({ quotas: [{ dimension: "requests", limit: 30, window: "minute", strategy }] });
      expect(quotas(), strategy).toEqual([["requests", "minute", 30, 7]]);
    }
  });

  it("the usage of a token bucket is moved to a bucket with another burst", () => {
    const bucket = { dimension: "requests", window: "minute", strategy: "token_bucket" } as const;
    const { update, use, limiter } = one({ quotas: [{ ...bucket, limit: 60, burst: 60 }] });
    use({ requests: 20 });
    update({ quotas: [{ ...bucket, limit: 60, burst: 100 }] });
    expect(limiter.remainingQuota("only", "requests")).toBe(80);
    update({ quotas: [{ ...bucket, limit: 60, burst: 50 }] });
    expect(limiter.remainingQuota("only", "requests")).toBe(30);
  });

  it("usage is moved to all quotas that replace one, and to one quota that replaces several", () => {
    const a = (seconds: number, limit: number) => ({ dimension: "requests", limit, window: { seconds } }) as const;
    const { clock, update, use, quotas, limiter } = one({ quotas: [a(60, 10)] });
    use({ requests: 4 });
    clock.advanceSecs(30);
    update({ quotas: [a(60, 30), a(60, 8), a(60, 20)] });
    expect(quotas().map(([, , limit, used]) => [limit, used])).toEqual([
      [30, 4],
      [8, 4],
      [20, 4],
    ]);
    update({ limits: { rpm: 6 } });
    expect(limiter.remainingQuota("only", "requests")).toBe(2);
    clock.advanceSecs(60);
    expect(limiter.remainingQuota("only", "requests")).toBe(6);
  });

  it("usage is moved to a fixed window with another reset instant and to a window with countsAtEnd", () => {
    const fixed = { dimension: "requests", limit: 10, window: "minute", strategy: "fixed_window" } as const;
    const { clock, update, use, limiter } = one({ quotas: [fixed] });
    use({ requests: 4 });
    update({ quotas: [{ ...fixed, resetEpochMs: 20_000 }] });
    expect(limiter.remainingQuota("only", "requests")).toBe(6);
    clock.advanceMs(19_999);
    expect(limiter.remainingQuota("only", "requests")).toBe(6);
    clock.advanceMs(1);
    expect(limiter.remainingQuota("only", "requests")).toBe(10);
    const sliding = one({ limits: { tpm: 10 } });
    sliding.use({ tokens: 4 });
    sliding.update({ quotas: [{ dimension: "tokens", limit: 10, window: "minute", countsAtEnd: true }] });
    expect(sliding.limiter.remainingQuota("only", "tokens")).toBe(6);
  });

  it("a patch replaces the list of pools, and never the quotas of a pool", () => {
    const { update, use, quotas } = one({ pools: ["org"] });
    use({ requests: 4 });
    update({ limits: { rpm: 5, rph: null }, quotas: [{ dimension: "requests", limit: 9, window: { seconds: 60 } }] });
    expect(quotas().at(-1)).toEqual(["requests", "minute", 1_000, 4, "org"]);
    update({ pools: ["team", "org", "team"] });
    expect(quotas().slice(2)).toEqual([
      ["requests", "hour", 500, 0, "team"],
      ["requests", "minute", 1_000, 4, "org"],
    ]);
    update({ pools: [] });
    expect(quotas()).toHaveLength(2);
  });

  it("priority, weight, paused and price can be changed separately", () => {
    const { update, limiter } = one({ price: { usdPerRequest: 0.5 }, limits: { usdPerHour: 100 } });
    update({ weight: 3 });
    // A request of half a dollar is half a hundredth of the limit, and the quota part counts 0.4 x 3.
    expect(limiter.select("chat").score).toBeCloseTo(3 - 0.006, 12);
    update({ priority: 0 });
    expect(limiter.select("chat").score).toBeCloseTo(2.7 - 0.006, 12);
    update({ paused: true });
    expect(() => limiter.select("chat")).toThrow();
    update({ paused: false, price: { usdPerRequest: 2 } });
    expect(limiter.select("chat").score).toBeCloseTo(2.7 - 0.024, 12);
    limiter.observe({ provider: "only", outcome: { status: "success" } });
    expect(limiter.remainingQuota("only", "cost_usd")).toBe(98_000_000);
  });

  it("a patch changes the length of the next first cooldown, but neither health nor a cooldown in progress", () => {
    const { clock, update, limiter } = one({ cooldownSeconds: 10 });
    const fail = () => limiter.observe({ provider: "only", outcome: { status: "timeout" } });
    for (let i = 0; i < 3; i++) fail();
    update({ cooldownSeconds: 25 });
    expect(limiter.inspect().providers[0]).toMatchObject({ cooldownMs: 10_000 });
    expect(limiter.providerHealth("only")).toBeCloseTo(0.4, 12);
    clock.advanceSecs(10);
    limiter.observe({ provider: "only", outcome: { status: "success" } });
    clock.advanceSecs(1);
    for (let i = 0; i < 3; i++) fail();
    expect(limiter.inspect().providers[0]).toMatchObject({ cooldownMs: 25_000 });
  });

  it("an invalid patch is rejected as a whole", () => {
    const { limiter, update } = one({ limits: { rpm: 10 }, pools: ["org"] });
    const before = JSON.stringify(limiter.inspect().providers);
    for (const patch of [
      { priority: 1, limits: { rpm: -1 } },
      { paused: true, pools: ["nowhere"] },
      { weight: 5, name: "other" },
      { cooldownSeconds: Number.NaN, limits: { rpm: null } },
      { quotas: [{ dimension: "requests", limit: null, window: "minute" }], limits: { rpm: 5 } },
    ]) {
      expect(() => update(patch as never)).toThrow(expect.objectContaining({ code: "invalid_config" }));
      expect(JSON.stringify(limiter.inspect().providers)).toBe(before);
      expect(limiter.select("chat").score).toBe(1);
    }
  });
});
