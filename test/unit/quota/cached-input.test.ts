// Quotas that do not count input tokens from a prompt cache.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GrateLimiter, InvalidConfig, type QuotaConfig, type Window } from "../../../src/index.ts";
import { granted, LimiterFixture } from "../../support/limiter-fixture.ts";

const LIMIT = 1_000_000;

function fixtureOf() {
  const tokens = (dimension: "tokens" | "input_tokens", window: Window, cachedInput: "included" | "excluded") =>
    ({ dimension, limit: LIMIT, window, cachedInput }) satisfies QuotaConfig;
  return new LimiterFixture({
    providers: [
      {
        name: "a",
        quotas: [
          tokens("input_tokens", "minute", "excluded"),
          tokens("tokens", "minute", "excluded"),
          tokens("input_tokens", "hour", "included"),
          tokens("tokens", "hour", "included"),
        ],
      },
    ],
    capabilities: { chat: ["a"] },
  });
}

const counted = (fixture: LimiterFixture) =>
  fixture.limiter.forecast("a")!.map(({ used, inFlight }) => used + inFlight);

const amount = fc.nat(100_000);
/** Usage with cached tokens, in the shapes of clients. `input` includes them. */
const shapes: readonly ((input: number, cached: number, output: number) => object)[] = [
  (input, cached, output) => ({ inputTokens: input, outputTokens: output, cachedInputTokens: cached }),
  (input, cached, output) => ({
    usage: { prompt_tokens: input, completion_tokens: output, prompt_tokens_details: { cached_tokens: cached } },
  }),
  (input, cached, output) => ({
    usage: { input_tokens: input, output_tokens: output, input_tokens_details: { cached_tokens: cached } },
  }),
  (input, cached, output) => ({ input_tokens: input - cached, output_tokens: output, cache_read_input_tokens: cached }),
  (input, cached, output) => ({
    usageMetadata: { promptTokenCount: input, candidatesTokenCount: output, cachedContentTokenCount: cached },
  }),
  (input, cached, output) => ({
    usage: { inputTokens: { total: input, cacheRead: cached }, outputTokens: { total: output } },
  }),
  (input, cached, output) => ({
    usage: {
      ...{ inputTokens: input, outputTokens: output, totalTokens: input + output },
      inputTokenDetails: { cacheReadTokens: cached },
    },
  }),
  (input, cached, output) => ({
    usage_metadata: { input_tokens: input, output_tokens: output, input_token_details: { cache_read: cached } },
  }),
];

describe('a quota with cachedInput: "excluded"', () => {
  it("counts all but the cached tokens, however they are reported", () => {
    fc.assert(
      fc.property(
        fc.record({ uncached: amount, cached: amount, output: amount }),
        fc.nat(shapes.length - 1),
        fc.constantFrom("settle", "report", "observe"),
        fc.option(amount),
        ({ uncached, cached, output }, shape, way, stated) => {
          const fixture = fixtureOf();
          const usage = shapes[shape]!(uncached + cached, cached, output);
          if (way === "observe") {
            fixture.limiter.observe({ provider: "a", usage, outcome: { status: "success" } });
          } else {
            const options = stated === null ? {} : { inputTokens: stated, outputTokens: stated };
            const lease = granted(fixture.limiter.tryAcquire("chat", options));
            if (way === "report") lease.report(usage);
            lease.settle(way === "report" ? "success" : { usage });
          }
          const input = uncached + cached;
          expect(counted(fixture)).toEqual([uncached, uncached + output, input, input + output]);
          expect(fixture.limiter.metrics.invalidUsages).toBe(0);
        },
      ),
    );
  });

  it("is never negative if a client reports more cached than input tokens", () => {
    const fixture = fixtureOf();
    granted(fixture.limiter.tryAcquire("chat")).settle({ usage: { inputTokens: 10, cachedInputTokens: 50 } });
    expect(counted(fixture).slice(0, 2)).toEqual([0, 0]);
  });

  it("keeps counting the same after a change of another limit", () => {
    const fixture = fixtureOf();
    const lease = granted(fixture.limiter.tryAcquire("chat"));
    lease.report({ inputTokens: 100, cachedInputTokens: 80, outputTokens: 0 });
    fixture.limiter.updateProvider("a", { limits: { rpm: 5 } });
    lease.settle();
    const used = fixture.limiter.forecast("a")!.map(({ dimension, window, used }) => [dimension, window, used]);
    expect(used).toContainEqual(["input_tokens", "minute", 20]);
    expect(used).toContainEqual(["input_tokens", "hour", 100]);
  });

  it("is refused for other dimensions, and in the classic profile", () => {
    const of = (quota: object, profile?: "classic") =>
      new GrateLimiter({ providers: [{ name: "a", quotas: [quota as QuotaConfig] }], ...(profile && { profile }) });
    const quota = { dimension: "requests", limit: 1, window: "minute", cachedInput: "excluded" };
    expect(() => of(quota)).toThrow(InvalidConfig);
    expect(() => of(quota)).toThrow(/cachedInput.*unless dimension is "tokens" or "input_tokens"/);
    expect(() => of({ ...quota, dimension: "tokens", cachedInput: true })).toThrow(/cachedInput/);
    expect(() => of({ ...quota, dimension: "tokens" }, "classic")).toThrow(/cachedInput/);
  });

  it("a request cannot state cached tokens in advance", () => {
    const fixture = fixtureOf();
    expect(() => fixture.limiter.tryAcquire("chat", { cachedInputTokens: 5 } as never)).toThrow(/cachedInputTokens/);
  });
});
