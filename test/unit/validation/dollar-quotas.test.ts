// A dollar quota is enforced only if every request has a cost: by the price of the provider, or stated by the caller.
import { describe, expect, it } from "vitest";
import { GrateLimiter, type GrateLimiterOptions, InvalidConfig, MockClock } from "../../../src/index.ts";
import { collect } from "../../support/map-fixture.ts";
import { rejection } from "../../support/run-fixture.ts";

type Provider = NonNullable<GrateLimiterOptions["providers"]>[number];

/** A limiter with the provider "free" and another one with the given quotas. */
function limiterWith(own: Partial<Provider>, pools: GrateLimiterOptions["pools"] = {}): GrateLimiter {
  return new GrateLimiter({
    clock: new MockClock(),
    pools,
    providers: [
      { name: "free", priority: 20 },
      { name: "paid", ...own },
    ],
    capabilities: { chat: ["free", "paid"] },
  });
}

const QUOTAS: readonly [
  string,
  GrateLimiter["upsertProvider"] extends (config: infer C) => void ? Partial<C> : never,
][] = [
  ["a limit", { limits: { usdPerDay: 5 } }],
  ["a quota", { quotas: [{ dimension: "cost_usd", limit: 5_000_000, window: "day" }] }],
  ["a pool", { pools: ["budget"] }],
];
const POOLS = { budget: { limits: { usdPerDay: 5 } } };

const MISSING = expect.objectContaining({
  code: "invalid_config",
  message: expect.stringMatching(
    /^costMicroUsd: provider "paid" has no price, so .* of \$5.00 per day needs .*price.*costMicroUsd$/,
  ),
  problems: [{ path: "costMicroUsd", expected: "a cost in micro-USD", got: "undefined" }],
});

describe.each(QUOTAS)("a provider with a dollar quota of %s and without a price", (_, own) => {
  it("the first call that states no cost throws InvalidConfig, also if another provider would serve it", async () => {
    const limiter = limiterWith(own, POOLS);
    expect(() => limiter.tryAcquire("chat")).toThrow(MISSING);
    expect(() => limiter.tryAcquire("chat", { tokens: 5 })).toThrow(MISSING);
    expect(await rejection(limiter.acquire("chat"))).toEqual(MISSING);
    expect(await rejection(limiter.run("chat", () => expect.unreachable()))).toEqual(MISSING);
    expect(await rejection(limiter.stream("chat", () => expect.unreachable()))).toEqual(MISSING);
    const needs = (costMicroUsd: number | undefined) => ({ costMicroUsd });
    const results = await collect(limiter.map("chat", [1, undefined, 0], () => "served", { needs }));
    expect(results.map((result) => (result.ok ? result.value : result.error))).toEqual(
      expect.arrayContaining(["served", MISSING, "served"]),
    );
    expect(limiter.metrics).toMatchObject({ leasesGranted: 2, refusals: 0 });
  });

  it("calls that state a cost, also 0, and calls that exclude the provider are granted", () => {
    const limiter = limiterWith(own, POOLS);
    for (const options of [{ costMicroUsd: 7 }, { costMicroUsd: 0 }, { exclude: ["paid"] }, { only: ["free"] }]) {
      expect(limiter.tryAcquire("chat", options).granted).toBe(true);
    }
  });

  it("an observed success without a cost throws InvalidConfig and counts nothing", () => {
    const limiter = limiterWith(own, POOLS);
    const before = JSON.stringify(limiter.inspect());
    for (const usage of [undefined, {}, { tokens: 9 }]) {
      expect(() => limiter.observe({ provider: "paid", usage, outcome: { status: "success" } })).toThrow(
        expect.toSatisfy((error) => InvalidConfig.is(error) && error.problems[0]!.path === "usage.costMicroUsd"),
      );
    }
    expect(JSON.stringify(limiter.inspect())).toBe(before);
    for (const outcome of [{ status: 500 }, { status: "cancelled" as const }]) {
      limiter.observe({ provider: "paid", outcome });
    }
    limiter.observe({ provider: "paid", usage: { requests: 0 }, outcome: { status: "success" } });
    limiter.observe({ provider: "paid", usage: { costMicroUsd: 3 }, outcome: { status: "success" } });
    expect(limiter.remainingQuota("paid", "cost_usd")).toBe(5_000_000 - 3);
  });

  it("`select` is advice and needs no cost", () => {
    expect(limiterWith(own, POOLS).select("chat").provider).toBe("free");
  });

  it("a price makes stated costs unnecessary, also one that is set later", () => {
    const price = { usdPerRequest: 0.01 };
    expect(limiterWith({ ...own, price }, POOLS).tryAcquire("chat").granted).toBe(true);
    const limiter = limiterWith(own, POOLS);
    limiter.updateProvider("paid", { price });
    expect(limiter.tryAcquire("chat").granted).toBe(true);
    limiter.upsertProvider({ name: "paid", ...own });
    expect(() => limiter.tryAcquire("chat")).toThrow(MISSING);
    limiter.removeProvider("paid");
    expect(limiter.tryAcquire("chat").granted).toBe(true);
  });
});

describe("a dollar quota that is added later", () => {
  it("an upsert, an update or a pool makes stated costs necessary", () => {
    const changes: ((limiter: GrateLimiter) => void)[] = [
      (limiter) => limiter.upsertProvider({ name: "paid", limits: { usdPerDay: 5 } }),
      (limiter) => limiter.updateProvider("paid", { limits: { usdPerDay: 5 } }),
      (limiter) => limiter.updateProvider("paid", { pools: ["budget"] }),
      (limiter) => {
        limiter.updateProvider("paid", { pools: ["requests"] });
        limiter.upsertPool({ name: "requests", limits: { usdPerDay: 5 } });
      },
    ];
    for (const change of changes) {
      const limiter = limiterWith({}, { ...POOLS, requests: { limits: { rpm: 5 } } });
      expect(limiter.tryAcquire("chat").granted).toBe(true);
      change(limiter);
      expect(() => limiter.tryAcquire("chat")).toThrow(MISSING);
    }
  });
});

it("the classic profile needs no cost", () => {
  const limiter = new GrateLimiter({
    clock: new MockClock(),
    profile: "classic",
    providers: [{ name: "a", quotas: [{ dimension: "cost_usd", limit: 10, window: "day" }] }],
    capabilities: { chat: ["a"] },
  });
  expect(limiter.select("chat").provider).toBe("a");
  limiter.observe({ provider: "a", outcome: { status: "success" } });
  expect(limiter.remainingQuota("a", "cost_usd")).toBe(10);
});
