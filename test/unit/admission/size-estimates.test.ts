// The estimate of a request: the stated amount, else the learned size, else the rule for the first call.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import type { ProviderConfig, Usage } from "../../../src/index.ts";
import { chatFixture, LimiterFixture } from "../../support/limiter-fixture.ts";

function estimateFixture(limits: ProviderConfig["limits"] = { tpm: 1_000 }) {
  return new LimiterFixture({
    providers: [
      { name: "a", limits },
      { name: "b", limits },
    ],
    capabilities: { chat: ["a"], mail: ["a"], other: ["b"] },
  });
}

/** Returns the tokens that the next request reserves. */
function reserves(
  fixture: LimiterFixture,
  options = {},
  capability = "chat",
  dimension: "tokens" | "input_tokens" | "output_tokens" = "tokens",
) {
  const provider = capability === "other" ? "b" : "a";
  const before = fixture.counted(dimension, provider);
  const lease = fixture.grant(options, capability);
  const after = fixture.counted(dimension, provider);
  lease.release();
  expect(fixture.counted(dimension, provider)).toBe(before);
  return after - before;
}

/** Settles requests without stated amounts with these usages, then waits until the windows are empty again. */
function learn(fixture: LimiterFixture, usages: readonly (Usage | undefined)[], options = {}, capability = "chat") {
  for (const usage of usages) {
    fixture.grant(options, capability).settle({ usage });
    fixture.clock.advanceMs(61_000);
  }
}

describe("the first call", () => {
  it("the first call reserves a tenth of a token limit, at least 1", () => {
    const fixture = estimateFixture({ tpm: 1_000, tpd: 50_000, itpm: 300, otpm: 7 });
    const lease = fixture.grant();
    expect(fixture.counted("tokens", "a", "minute")).toBe(100);
    // A request has one amount per dimension, so the smallest of several limits decides.
    expect(fixture.counted("tokens", "a", "day")).toBe(100);
    expect(fixture.counted("input_tokens")).toBe(30);
    expect(fixture.counted("output_tokens")).toBe(1);
    // The estimate stays the same until one of the requests has settled.
    const second = fixture.grant();
    expect(fixture.counted("tokens", "a", "minute")).toBe(200);
    second.release();
    lease.release();
    expect(reserves(fixture)).toBe(100);
  });

  it("at most ten first calls are granted at the same time", () => {
    const fixture = estimateFixture();
    for (let i = 0; i < 10; i++) fixture.grant();
    expect(fixture.refusal().reasons[0]).toMatchObject({
      reason: "quota",
      dimension: "tokens",
      needed: 100,
      remaining: 0,
    });
  });

  it("the first call reserves maxOutputTokens plus the stated input tokens", () => {
    const fixture = estimateFixture({ tpm: 1_000, otpm: 500 });
    expect(reserves(fixture, { maxOutputTokens: 30 })).toBe(30);
    expect(reserves(fixture, { maxOutputTokens: 30, inputTokens: 20 })).toBe(50);
    expect(reserves(fixture, { maxOutputTokens: 30, inputTokens: 20 }, "chat", "output_tokens")).toBe(30);
  });

  it("the first call reserves stated amounts unchanged, also 0", () => {
    const fixture = estimateFixture({ tpm: 1_000, itpm: 500, otpm: 500 });
    expect(reserves(fixture, { tokens: 0 })).toBe(0);
    expect(reserves(fixture, { tokens: 7 })).toBe(7);
    expect(reserves(fixture, { tokens: 7 }, "chat", "output_tokens")).toBe(7);
    expect(reserves(fixture, { inputTokens: 5, outputTokens: 0 })).toBe(5);
    expect(reserves(fixture, { inputTokens: 5, outputTokens: 0 }, "chat", "output_tokens")).toBe(0);
  });

  it("after a settlement without amounts a call reserves 1, until an amount is reported", () => {
    const fixture = estimateFixture();
    learn(fixture, [undefined]);
    expect(reserves(fixture)).toBe(1);
    learn(fixture, [undefined, undefined]);
    expect(reserves(fixture)).toBe(1);
    expect(reserves(fixture, {}, "mail")).toBe(100);
    learn(fixture, [{ tokens: 44 }]);
    expect(reserves(fixture)).toBe(44);
  });

  it("a provider that was removed and added again has no learned size", () => {
    const fixture = estimateFixture();
    learn(fixture, [{ tokens: 44 }]);
    expect(reserves(fixture)).toBe(44);
    fixture.limiter.removeProvider("a");
    fixture.limiter.upsertProvider({ name: "a", limits: { tpm: 1_000 } });
    expect([44, 100]).toContain(reserves(fixture));
  });
});

describe("the learned size", () => {
  it("the learned size is the mean of the reported amounts, per capability and provider", () => {
    const fixture = estimateFixture();
    learn(fixture, [{ tokens: 40 }]);
    expect(reserves(fixture)).toBe(40);
    expect(reserves(fixture, {}, "mail")).toBe(100);
    expect(reserves(fixture, {}, "other")).toBe(100);
    learn(fixture, [{ tokens: 40 }, { tokens: 40 }]);
    expect(reserves(fixture)).toBe(40);
    learn(fixture, [{ tokens: 60 }]);
    expect(reserves(fixture)).toBeGreaterThan(40);
    expect(reserves(fixture)).toBeLessThan(60);
    learn(fixture, [{ tokens: 10 }], {}, "mail");
    expect(reserves(fixture, {}, "mail")).toBe(10);
  });

  it("the learned size follows a change of the reported amounts", () => {
    const fixture = estimateFixture();
    learn(fixture, Array(20).fill({ tokens: 40 }));
    learn(fixture, Array(400).fill({ tokens: 10 }));
    expect(reserves(fixture)).toBeLessThanOrEqual(13);
    expect(reserves(fixture)).toBeGreaterThanOrEqual(10);
  });

  it("the size of the output is learned separately, and maxOutputTokens caps it", () => {
    const fixture = estimateFixture({ tpm: 1_000, itpm: 800, otpm: 600 });
    learn(fixture, Array(3).fill({ inputTokens: 30, outputTokens: 10 }));
    expect(reserves(fixture)).toBe(40);
    expect(reserves(fixture, {}, "chat", "output_tokens")).toBe(10);
    expect(reserves(fixture, {}, "chat", "input_tokens")).toBe(30);
    expect(reserves(fixture, { maxOutputTokens: 4 }, "chat", "output_tokens")).toBe(4);
    expect(reserves(fixture, { maxOutputTokens: 400 }, "chat", "output_tokens")).toBe(10);
    expect(reserves(fixture, { maxOutputTokens: 4 })).toBe(34);
    expect(reserves(fixture, { inputTokens: 100 })).toBe(110);
    expect(reserves(fixture, { inputTokens: 100, maxOutputTokens: 4 })).toBe(104);
    expect(reserves(fixture, { inputTokens: 100 }, "chat", "input_tokens")).toBe(100);
    expect(reserves(fixture, { outputTokens: 3 }, "chat", "output_tokens")).toBe(3);
  });

  it("a stated amount takes precedence over the learned size, also 0", () => {
    const fixture = estimateFixture();
    learn(fixture, Array(3).fill({ tokens: 40 }));
    expect(reserves(fixture, { tokens: 0 })).toBe(0);
    expect(reserves(fixture, { tokens: 500 })).toBe(500);
    expect(reserves(fixture, { inputTokens: 0, outputTokens: 0 })).toBe(0);
  });

  it("sizes are learned from observations of registered capabilities, and of no others", () => {
    const fixture = estimateFixture();
    const observe = (capability: string | undefined, tokens: number) => {
      fixture.limiter.observe({ provider: "a", capability, usage: { tokens }, outcome: { status: "success" } });
      fixture.clock.advanceMs(61_000);
    };
    observe("nonsense", 300);
    observe(undefined, 300);
    observe("__proto__", 300);
    expect(reserves(fixture)).toBe(100);
    observe("chat", 30);
    expect(reserves(fixture)).toBe(30);
    expect(reserves(fixture, {}, "mail")).toBe(100);
  });

  it("a learned size above a limit reserves the whole limit, and learning goes on", () => {
    const fixture = estimateFixture({ tpm: 1_000, tpd: 50_000, otpm: 400 });
    learn(fixture, [{ inputTokens: 1_000, outputTokens: 500 }]);
    expect(reserves(fixture)).toBe(1_000);
    expect(reserves(fixture, {}, "chat", "output_tokens")).toBe(400);
    expect(fixture.limiter.select("chat").waitMs).toBe(0);
    // A stated amount is not an estimate.
    expect(reserves(fixture, { inputTokens: 900 })).toBe(1_000);
    expect(fixture.refusal({ inputTokens: 1_001 }).reasons[0]).toMatchObject({ reason: "too_large", needed: 1_001 });
    learn(fixture, Array(3).fill({ inputTokens: 60, outputTokens: 40 }));
    expect(reserves(fixture)).toBeLessThan(500);
  });

  it("a limit lowers neither a stated amount nor the cost of it", () => {
    const price = { usdPerMillionInputTokens: 10, usdPerMillionOutputTokens: 10 };
    const fixture = new LimiterFixture({
      providers: [{ name: "a", limits: { usdPerHour: 0.01 }, price }],
      capabilities: { chat: ["a"] },
    });
    const refusal = () => fixture.refusal({ inputTokens: 10_000 }).reasons[0];
    expect(refusal()).toMatchObject({ reason: "too_large", dimension: "cost_usd", needed: 100_000, limit: 10_000 });
    learn(fixture, [{ inputTokens: 1, outputTokens: 1 }]);
    fixture.clock.advanceMs(3_600_001);
    expect(refusal()).toMatchObject({ reason: "too_large", dimension: "cost_usd", limit: 10_000 });
    expect(fixture.grant().reserved.costMicroUsd).toBe(20);
  });

  it("a lowered limit does not exclude learned sizes, unless it is 0", () => {
    const price = { usdPerMillionInputTokens: 1, usdPerMillionOutputTokens: 4 };
    const fixture = new LimiterFixture({
      providers: [{ name: "a", limits: { tpm: 1_000, usdPerHour: 1 }, price }],
      capabilities: { chat: ["a"] },
    });
    learn(fixture, Array(5).fill({ inputTokens: 500, outputTokens: 100 }));
    fixture.limiter.updateProvider("a", { limits: { tpm: 200, usdPerHour: 0.0001 } });
    fixture.clock.advanceMs(3_600_000);
    expect(fixture.grant().reserved).toMatchObject({ tokens: 200, costMicroUsd: 100 });
    fixture.limiter.updateProvider("a", { limits: { tpm: 0 } });
    expect(fixture.refusal().reasons[0]).toMatchObject({
      reason: "too_large",
      dimension: "tokens",
      limit: 0,
      needed: 1,
    });
  });

  it("a learned size survives a changed list of the capability", () => {
    const fixture = estimateFixture();
    learn(fixture, [{ tokens: 30 }]);
    fixture.limiter.upsertCapability({ name: "chat", providers: ["b", { provider: "a", priority: 99 }] });
    expect(fixture.limiter.select("chat", { only: ["a"] }).provider).toBe("a");
    expect(fixture.grant({ only: ["a"] }).reserved.tokens).toBe(30);
    expect(fixture.grant({ only: ["b"] }).reserved.tokens).toBe(100);
    fixture.limiter.removeCapability("chat");
    fixture.limiter.upsertCapability({ name: "chat", providers: ["a"] });
    expect(fixture.grant().reserved.tokens).toBe(100);
  });

  it("a lease of a removed provider does not change learned sizes", () => {
    const fixture = estimateFixture();
    const lease = fixture.grant();
    fixture.limiter.removeProvider("a");
    fixture.limiter.upsertProvider({ name: "a", limits: { tpm: 1_000 } });
    lease.settle({ usage: { tokens: 500 } });
    expect(reserves(fixture)).toBe(100);
  });

  it("capabilities that callers invent use no memory", () => {
    setFlagsFromString("--expose_gc");
    const collectGarbage = runInNewContext("gc") as () => void;
    const fixture = estimateFixture();
    const observe = (from: number) => {
      for (let i = from; i < from + 50_000; i++) {
        const capability = `user-${i}`;
        fixture.limiter.observe({ provider: "a", capability, usage: { tokens: 3 }, outcome: { status: "success" } });
      }
      collectGarbage();
      return process.memoryUsage().heapUsed;
    };
    const before = observe(0);
    expect(observe(1e6) - before).toBeLessThan(1e6);
  });
});

describe("the margin for estimates", () => {
  const take = (fixture: LimiterFixture, options = {}) => {
    let count = 0;
    while (fixture.limiter.tryAcquire("chat", options).granted) count++;
    return count;
  };

  it("the margin is 0 if many requests of one size are known", () => {
    const fixture = estimateFixture();
    learn(fixture, Array(700).fill({ tokens: 40 }));
    expect(take(fixture)).toBe(25);
  });

  it("the margin is three standard deviations of the summed error of the open requests", () => {
    const fixture = estimateFixture({ tpm: 10_000 });
    learn(
      fixture,
      Array.from({ length: 60 }, (_, i) => ({ tokens: i % 2 === 0 ? 50 : 150 })),
    );
    expect(reserves(fixture)).toBeGreaterThanOrEqual(80);
    expect(reserves(fixture)).toBeLessThanOrEqual(120);
    // 100 k + 3 x 50 x sqrt(k) <= 10,000 for a mean of 100; a mean of 90 or 110 changes it as much.
    const count = take(fixture);
    expect(count).toBeGreaterThanOrEqual(72);
    expect(count).toBeLessThanOrEqual(96);
  });

  it("only learned amounts have a margin", () => {
    const fixture = estimateFixture({ tpm: 10_000 });
    learn(
      fixture,
      Array.from({ length: 60 }, (_, i) => ({ tokens: i % 2 === 0 ? 50 : 150 })),
    );
    expect(take(fixture, { tokens: 100 })).toBe(100);
  });

  it("the margin is gone when the requests have settled", () => {
    const fixture = estimateFixture({ tpm: 10_000 });
    learn(
      fixture,
      Array.from({ length: 60 }, (_, i) => ({ tokens: i % 2 === 0 ? 50 : 150 })),
    );
    const leases = Array.from({ length: 40 }, () => fixture.grant());
    for (const lease of leases) lease.settle({ usage: { tokens: 100 } });
    expect(fixture.counted("tokens")).toBe(4_000);
    expect(take(fixture, { tokens: 1_000 })).toBe(6);
  });

  it("the margin never excludes a single request for ever", () => {
    const fixture = chatFixture({ limits: { tpm: 100 } });
    for (const tokens of [1, 99, 1, 99, 1, 99]) {
      fixture.grant().settle({ usage: { tokens } });
      fixture.clock.advanceMs(61_000);
    }
    fixture.grant();
  });
});
