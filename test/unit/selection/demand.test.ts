// The demand of a request on each quota.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  Dimension,
  GrateLimiter,
  MockClock,
  NoAvailableProviders,
  type Price,
  type ProviderConfig,
  type SelectOptions,
} from "../../../src/index.ts";
import { expectedUsage } from "../../support/expected-usage.ts";

const COUNTED = Object.values(Dimension).filter((dimension) => dimension !== "concurrency");

function limiterOf(provider: Omit<ProviderConfig, "name">) {
  const clock = new MockClock();
  const config = { name: "only", ...provider };
  const limiter: GrateLimiter = new GrateLimiter({ clock, providers: [config], capabilities: { chat: ["only"] } });
  return { clock, limiter };
}

function refusalOf(limiter: GrateLimiter, options?: SelectOptions): NoAvailableProviders | null {
  try {
    limiter.select("chat", options);
  } catch (error) {
    if (NoAvailableProviders.is(error)) return error;
    throw error;
  }
  return null;
}

/** A quota of limit 0 refuses every demand except 0 and reports the demand. */
function neededOf(dimension: Dimension, options: SelectOptions | undefined, price: Price | undefined): number {
  const { limiter } = limiterOf({ price, quotas: [{ dimension, limit: 0, window: "minute" }] });
  const refusal = refusalOf(limiter, options);
  if (refusal === null) return 0;
  const [reason] = refusal.reasons;
  if (reason?.reason !== "too_large") throw refusal;
  return reason.needed;
}

const amount = fc.option(fc.oneof(fc.integer({ min: 0, max: 5_000 }), fc.constantFrom(0, 1)), { nil: undefined });
const usage = fc.record({
  requests: amount,
  tokens: amount,
  inputTokens: amount,
  outputTokens: amount,
  bytes: amount,
  costMicroUsd: fc.option(fc.integer({ min: 0, max: 1_000 }), { nil: undefined, freq: 2 }),
});
const dollars = fc.option(fc.constantFrom(0, 0.5, 1, 2.25, 15), { nil: undefined });
const price: fc.Arbitrary<Price | undefined> = fc.option(
  fc.record({ usdPerRequest: dollars, usdPerMillionInputTokens: dollars, usdPerMillionOutputTokens: dollars }),
  { nil: undefined },
);

describe("the demand of a request", () => {
  it("the demand is the stated amounts and those that follow from them, else 1", () => {
    fc.assert(
      fc.property(usage, price, (reported, charged) => {
        const needs = expectedUsage(reported, charged);
        for (const dimension of COUNTED) {
          // With a price per token and no stated tokens the cost is not known either.
          if (dimension === "cost_usd" && charged !== undefined && needs.tokens === null) continue;
          expect(neededOf(dimension, reported, charged), dimension).toBe(needs[dimension] ?? 1);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("the cost demand is the price per request if only requests have a price", () => {
    expect(neededOf("cost_usd", undefined, { usdPerRequest: 0.0079 })).toBe(7_900);
    expect(neededOf("cost_usd", { requests: 3 }, { usdPerRequest: 0.0079 })).toBe(23_700);
    expect(neededOf("cost_usd", { requests: 1 }, { usdPerRequest: 1.5e-6 })).toBe(2);
    expect(neededOf("cost_usd", undefined, undefined)).toBe(1);
    expect(neededOf("cost_usd", undefined, { usdPerMillionInputTokens: 3 })).toBe(1);
  });

  it("fractions of a demand are rounded up", () => {
    expect(neededOf("tokens", { tokens: 10.01 }, undefined)).toBe(11);
    expect(neededOf("requests", { requests: 1e-9 }, undefined)).toBe(1);
    expect(neededOf("tokens", { inputTokens: 0.5, outputTokens: 0.5 }, undefined)).toBe(2);
    expect(neededOf("bytes", { bytes: -0 }, undefined)).toBe(0);
  });

  it("the demand is 1 in every dimension with a quota if nothing is stated", () => {
    for (const dimension of COUNTED) expect(neededOf(dimension, undefined, undefined)).toBe(1);
    for (const dimension of COUNTED) expect(neededOf(dimension, {}, undefined)).toBe(1);
    expect(neededOf("concurrency", undefined, undefined)).toBe(1);
    expect(neededOf("concurrency", { requests: 7, tokens: 9 }, undefined)).toBe(1);
  });

  it("a demand of 0 always fits: into an empty, an overdrawn and a zero quota", () => {
    const { limiter } = limiterOf({ limits: { tpm: 10, itpm: 0, rpm: 5 } });
    limiter.observe({ provider: "only", usage: { tokens: 25, inputTokens: 0 }, outcome: { status: "success" } });
    expect(limiter.select("chat", { tokens: 0 }).waitMs).toBe(0);
    expect(limiter.select("chat", { tokens: 1, inputTokens: 0 }).waitMs).toBeGreaterThan(0);
  });

  it("an exactly fitting demand has capacity, one more waits, and one above the limit never fits", () => {
    const { limiter } = limiterOf({ limits: { tpm: 100 } });
    limiter.observe({ provider: "only", usage: { tokens: 40 }, outcome: { status: "success" } });
    expect(limiter.select("chat", { tokens: 60 }).waitMs).toBe(0);
    expect(limiter.select("chat", { tokens: 61 }).waitMs).toBe(60_000);
    expect(limiter.select("chat", { tokens: 100 }).waitMs).toBe(60_000);
    expect(refusalOf(limiter, { tokens: 101 })?.reasons).toEqual([
      {
        provider: "only",
        reason: "too_large",
        dimension: "tokens",
        window: "minute",
        pool: null,
        limit: 100,
        remaining: 60,
        needed: 101,
        retryAfterMs: null,
      },
    ]);
  });

  it("the demand on a token bucket is compared with its burst", () => {
    const bucket = { dimension: "tokens", limit: 100, window: "minute", strategy: "token_bucket", burst: 150 } as const;
    const { limiter } = limiterOf({ quotas: [bucket] });
    expect(limiter.select("chat", { tokens: 150 }).waitMs).toBe(0);
    expect(refusalOf(limiter, { tokens: 151 })?.reasons[0]).toMatchObject({ reason: "too_large", limit: 150 });
    const small = limiterOf({ quotas: [{ ...bucket, burst: 50 }] });
    expect(refusalOf(small.limiter, { tokens: 51 })?.reasons[0]).toMatchObject({ reason: "too_large", limit: 50 });
  });

  it("a demand must fit into every quota, pools included", () => {
    const clock = new MockClock();
    const limiter = new GrateLimiter({
      clock,
      pools: { org: { limits: { tpd: 50 } } },
      providers: [{ name: "only", limits: { tpm: 100, rpm: 10 }, pools: ["org"] }],
      capabilities: { chat: ["only"] },
    });
    expect(refusalOf(limiter, { tokens: 51 })?.reasons[0]).toMatchObject({
      reason: "too_large",
      window: "day",
      pool: "org",
      limit: 50,
    });
    limiter.observe({ provider: "only", usage: { tokens: 20 }, outcome: { status: "success" } });
    expect(limiter.select("chat", { tokens: 30 }).waitMs).toBe(0);
    expect(limiter.select("chat", { tokens: 31 }).waitMs).toBe(86_400_000);
  });

  it("all invalid demands are rejected together, before the call has an effect", () => {
    const { limiter } = limiterOf({});
    const strange = [Number.NaN, -1, -0.5, Number.POSITIVE_INFINITY, 2 ** 53, 1e308, "5", null, 5n, {}, true];
    const fields = ["requests", "tokens", "inputTokens", "outputTokens", "bytes", "costMicroUsd", "maxOutputTokens"];
    for (const value of strange) {
      const options = Object.fromEntries(fields.map((field) => [field, value])) as SelectOptions;
      expect(() => limiter.select("chat", options)).toThrow(
        expect.objectContaining({ code: "invalid_config", problems: expect.arrayContaining(fields.map(pathOnly)) }),
      );
    }
    expect(limiter.metrics.selects).toBe(0);
    expect(limiter.select("chat", { tokens: 2 ** 53 - 1, requests: undefined }).waitMs).toBe(0);
  });
});

function pathOnly(path: string): unknown {
  return expect.objectContaining({ path });
}
