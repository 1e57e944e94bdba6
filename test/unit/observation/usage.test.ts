// The amounts that an observation counts in each quota.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  Dimension,
  GrateLimiter,
  InvalidConfig,
  MockClock,
  type Price,
  type ProviderConfig,
  type StatusClass,
  type Usage,
} from "../../../src/index.ts";
import { expectedUsage } from "../../support/expected-usage.ts";

const COUNTED = Object.values(Dimension).filter((dimension) => dimension !== "concurrency");
const HUGE = Number.MAX_SAFE_INTEGER;

/** A provider with one quota of each dimension, each far from full. */
function wide(price?: Price) {
  const provider: ProviderConfig<"only"> = {
    name: "only",
    price,
    limits: { concurrency: 50 },
    quotas: COUNTED.map((dimension) => ({ dimension, limit: HUGE, window: "hour" as const })),
  };
  const limiter = new GrateLimiter({ clock: new MockClock(), providers: [provider], capabilities: { chat: ["only"] } });
  const ended = (usage: Usage | undefined, status: StatusClass | number = "success") =>
    limiter.observe({ provider: "only", usage, outcome: { status } });
  const used = () => {
    const entries = limiter
      .forecast("only")!
      .map(({ dimension, used: amount, inFlight }) => [dimension, amount + inFlight]);
    return Object.fromEntries(entries) as { [dimension in Dimension]: number };
  };
  return { limiter, ended, used };
}

const amount = fc.option(fc.integer({ min: 0, max: 100_000 }), { nil: undefined });
const usage: fc.Arbitrary<Usage> = fc.record({
  requests: fc.option(fc.integer({ min: 0, max: 50 }), { nil: undefined }),
  tokens: amount,
  inputTokens: amount,
  outputTokens: amount,
  bytes: amount,
  costMicroUsd: fc.option(fc.integer({ min: 0, max: 1_000 }), { nil: undefined, freq: 2 }),
});
const dollars = fc.option(fc.constantFrom(0, 0.25, 1, 2.5, 15), { nil: undefined });
const price: fc.Arbitrary<Price | undefined> = fc.option(
  fc.record({ usdPerRequest: dollars, usdPerMillionInputTokens: dollars, usdPerMillionOutputTokens: dollars }),
  { nil: undefined },
);

describe("the usage of an observation", () => {
  it("usage is the reported amounts and those that follow from them, else one request only", () => {
    fc.assert(
      fc.property(usage, price, (reported, charged) => {
        fc.pre(charged !== undefined || reported.costMicroUsd !== undefined || reported.requests === 0);
        const { ended, used, limiter } = wide(charged);
        ended(reported);
        const expected = expectedUsage(reported, charged);
        for (const dimension of COUNTED) expect(used()[dimension], dimension).toBe(expected[dimension] ?? 0);
        expect(used().concurrency).toBe(0);
        expect(limiter.metrics).toMatchObject({ observations: 1, invalidUsages: 0 });
      }),
      { numRuns: 500 },
    );
  });

  it("an observation without usage counts one request", () => {
    for (const none of [undefined, {}, { requests: undefined, tokens: undefined }]) {
      const { ended, used } = wide();
      ended(none, "client_error");
      expect(used()).toMatchObject({
        requests: 1,
        tokens: 0,
        input_tokens: 0,
        output_tokens: 0,
        bytes: 0,
        cost_usd: 0,
      });
    }
  });

  it("fractions of usage are rounded up", () => {
    const { ended, used } = wide();
    ended({ requests: 0.001, tokens: 1.5, inputTokens: 1.2, bytes: 2.999, costMicroUsd: 7.01 });
    expect(used()).toMatchObject({ requests: 1, tokens: 2, input_tokens: 2, bytes: 3, cost_usd: 8 });
  });

  it("an amount of 0 or -0 counts nothing and does not change the remaining amount", () => {
    const { ended, used, limiter } = wide();
    ended({ requests: -0, tokens: 0, bytes: -0 });
    expect(used()).toMatchObject({ requests: 0, tokens: 0, bytes: 0 });
    expect(Object.is(limiter.remainingQuota("only", "requests"), HUGE)).toBe(true);
    expect(limiter.metrics.invalidUsages).toBe(0);
  });

  it("each invalid amount is ignored and counted, and never throws", () => {
    const strange = fc.constantFrom<unknown>(
      ...[Number.NaN, -1, -0.5, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 2 ** 53, 1e308],
      ...["5", "", null, 5n, {}, [], true, Symbol("five"), () => 5],
    );
    const fields = fc.subarray(
      ["requests", "tokens", "inputTokens", "outputTokens", "bytes", "costMicroUsd"] as const,
      { minLength: 1 },
    );
    fc.assert(
      fc.property(fields, strange, usage, (bad, value, rest) => {
        const reported = { ...rest };
        for (const field of bad) delete reported[field];
        const { ended, used, limiter } = wide();
        ended({ ...reported, ...Object.fromEntries(bad.map((field) => [field, value])) });
        const expected = wide();
        // A success without a cost is invalid, unless the cost is reported and wrong.
        expected.ended(reported, "client_error");
        expect(used()).toEqual(expected.used());
        expect(limiter.metrics).toMatchObject({ observations: 1, invalidUsages: bad.length });
      }),
    );
  });

  it("a usage that is not an object counts as not reported", () => {
    for (const none of [null, 5, "tokens", [], true]) {
      const { ended, used, limiter } = wide();
      ended(none as never);
      expect(used().requests).toBe(1);
      expect(limiter.metrics.invalidUsages).toBeGreaterThan(0);
    }
  });

  it("usage beyond the limit leaves a remaining amount of 0", () => {
    const limiter = new GrateLimiter({
      clock: new MockClock(),
      providers: [{ name: "only", limits: { rpm: 10, tpm: 100 } }],
    });
    limiter.observe({ provider: "only", usage: { requests: 999, tokens: HUGE }, outcome: { status: "success" } });
    limiter.observe({ provider: "only", usage: { requests: 999, tokens: HUGE }, outcome: { status: "success" } });
    expect(limiter.remainingQuota("only", "requests")).toBe(0);
    expect(limiter.remainingQuota("only", "tokens")).toBe(0);
  });
});

describe("usage by status", () => {
  const charged = { usdPerRequest: 0.5, usdPerMillionInputTokens: 2 };

  it.each(["success", "client_error", "server_error", "overloaded", "timeout", "cancelled"] as const)(
    "status %s costs its price",
    (status) => {
      const { ended, used } = wide(charged);
      ended({ inputTokens: 100 }, status);
      expect(used()).toMatchObject({ requests: 1, input_tokens: 100, tokens: 100, cost_usd: 500_200 });
    },
  );

  it.each(["rate_limited", "quota_exhausted", "unauthorized", "forbidden", 429, 402, 401, 403] as const)(
    "status %s costs nothing unless a cost is reported, and the request counts",
    (status) => {
      const { ended, used } = wide(charged);
      ended({ inputTokens: 100 }, status);
      expect(used()).toMatchObject({ requests: 1, cost_usd: 0 });
      ended({ costMicroUsd: 42 }, status);
      expect(used()).toMatchObject({ requests: 2, cost_usd: 42 });
    },
  );
});

describe("an observation without a valid provider", () => {
  it.each([
    ["no status", { provider: "only", outcome: {} }, ["outcome.status"]],
    ["a strange status", { provider: "only", outcome: { status: "ok" } }, ["outcome.status"]],
    ["no outcome", { provider: "only" }, ["outcome"]],
    ["no provider and no status", { outcome: { status: 0 } }, ["provider", "outcome.status"]],
    ["nothing", null, undefined],
    ["a word", "only", undefined],
  ])("an observation with %s throws InvalidConfig and changes nothing", (_, observation, paths) => {
    const { limiter } = wide();
    const before = JSON.stringify(limiter.inspect());
    try {
      limiter.observe(observation as never);
      expect.unreachable();
    } catch (error) {
      if (!InvalidConfig.is(error)) throw error;
      if (paths !== undefined) expect(error.problems.map(({ path }) => path).sort()).toEqual([...paths].sort());
    }
    expect(JSON.stringify(limiter.inspect())).toBe(before);
  });

  it("an observation of an unknown provider throws UnknownProvider and changes nothing", () => {
    const limiter: GrateLimiter = wide().limiter;
    const before = JSON.stringify(limiter.inspect());
    expect(() => limiter.observe({ provider: "onyl", outcome: { status: "success" } })).toThrow(
      expect.objectContaining({ code: "unknown_provider", provider: "onyl", message: expect.stringContaining("only") }),
    );
    expect(JSON.stringify(limiter.inspect())).toBe(before);
  });

  it("the limiter keeps no object of the observation, so later changes of it have no effect", () => {
    const { limiter, used } = wide();
    const reported = { requests: 2, costMicroUsd: 3 };
    limiter.observe({ provider: "only", usage: reported, outcome: { status: "success" } });
    reported.requests = 99;
    expect(used().requests).toBe(2);
  });
});
