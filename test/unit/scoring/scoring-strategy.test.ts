// The calls that a limiter makes to a custom strategy, the data that it passes, and its use of the score.
import { describe, expect, it } from "vitest";
import {
  GrateLimiter,
  type GrateLimiterOptions,
  MockClock,
  type ProviderScoreContext,
  type ScoringStrategy,
} from "../../../src/index.ts";
import { withLists } from "../../support/with-lists.ts";

function limiterWith(scoring: ScoringStrategy, more: Partial<GrateLimiterOptions> = {}) {
  const clock = new MockClock();
  const providers = ["a", "b", "c"].map((name) => ({ name }));
  const { capabilities = { chat: ["a", "b", "c"] }, ...options } = more;
  const limiter = withLists(new GrateLimiter({ clock, scoring, providers, ...options }), capabilities);
  return { clock, limiter };
}

const byName = (scores: { readonly [name: string]: number }): ScoringStrategy => ({
  score: ({ provider }) => scores[provider]!,
});

describe("the score of a strategy", () => {
  it("the larger score ranks first and is reported unchanged", () => {
    const decision = limiterWith(byName({ a: -5, b: 7e9, c: 0.5 })).limiter.select("chat");
    expect(decision).toMatchObject({ provider: "b", score: 7e9 });
    expect(decision.alternatives).toEqual([
      { provider: "c", score: 0.5 },
      { provider: "a", score: -5 },
    ]);
  });

  it("a reported score is finite, whatever the strategy returned, so it sorts and survives JSON", () => {
    const decision = limiterWith(
      byName({ a: Number.NaN, b: Number.NEGATIVE_INFINITY, c: Number.POSITIVE_INFINITY }),
    ).limiter.select("chat");
    expect(JSON.parse(JSON.stringify(decision))).toMatchObject({
      provider: "c",
      score: Number.MAX_VALUE,
      alternatives: [
        { provider: "a", score: -Number.MAX_VALUE },
        { provider: "b", score: -Number.MAX_VALUE },
      ],
    });
  });

  it("an error of a strategy is thrown by select, and the limiter continues to work", () => {
    const fault = new Error("no opinion");
    let isFaulty = true;
    const { limiter } = limiterWith({
      score: () => {
        if (isFaulty) throw fault;
        return 1;
      },
    });
    expect(() => limiter.select("chat")).toThrow(fault);
    isFaulty = false;
    expect(limiter.select("chat").provider).toBe("a");
    expect(limiter.inspect().providers.map(({ state }) => state)).toEqual(["available", "available", "available"]);
  });

  it("scores of providers without capacity are only reported", () => {
    const { limiter } = limiterWith(byName({ a: 100, b: 2, c: 50 }), {
      providers: [{ name: "a", limits: { rph: 1 } }, { name: "b" }, { name: "c", limits: { rpm: 1 } }],
    });
    for (const provider of ["a", "c"]) limiter.observe({ provider, outcome: { status: "success" } });
    expect(limiter.select("chat")).toMatchObject({
      provider: "b",
      score: 2,
      alternatives: [
        { provider: "c", score: 50 },
        { provider: "a", score: 100 },
      ],
    });
  });

  it("a strategy is called once for each eligible provider, as a method of itself", () => {
    class Counting implements ScoringStrategy {
      readonly asked: string[] = [];
      score({ provider }: ProviderScoreContext): number {
        this.asked.push(provider);
        return 1;
      }
    }
    const scoring = new Counting();
    const { limiter } = limiterWith(scoring);
    limiter.updateProvider("b", { paused: true });
    limiter.select("chat");
    limiter.select("chat", { only: ["c"] });
    expect(scoring.asked).toEqual(["a", "c", "c"]);
  });
});

describe("the context of a strategy", () => {
  /** Copies of the contexts as plain objects, taken when the score was requested. */
  function seen(limiterOf: (spy: ScoringStrategy) => GrateLimiter, options = {}) {
    const contexts = new Map<string, ProviderScoreContext>();
    const facts = [
      ...["provider", "capability", "priority", "maxPriority", "weight", "quotaRemainingRatio"],
      ...["predictedExhaustionSeconds", "burnPerSecond", "latencyMs", "maxLatencyMs", "inFlight", "costMicroUsd"],
      ...["quotaScore", "healthScore", "priorityScore", "latencyScore"],
    ] as const;
    const limiter = limiterOf({
      score: (context) => {
        const copy = Object.fromEntries(facts.map((fact) => [fact, context[fact as keyof ProviderScoreContext]]));
        contexts.set(context.provider, copy as unknown as ProviderScoreContext);
        return 0;
      },
    });
    limiter.select("chat", options);
    return { limiter, contexts };
  }

  it("the context contains the provider, the request, the priority and the weight", () => {
    const { contexts } = seen(
      (spy) =>
        limiterWith(spy, {
          providers: [{ name: "a", priority: 3, weight: 2.5 }, { name: "b" }],
          capabilities: { chat: ["a", { provider: "b", priority: 40 }] },
        }).limiter,
    );
    expect(contexts.get("a")).toMatchObject({
      ...{ provider: "a", capability: "chat", priority: 3, maxPriority: 40, weight: 2.5, priorityScore: 3 / 40 },
      ...{ quotaRemainingRatio: 1, predictedExhaustionSeconds: Number.POSITIVE_INFINITY, burnPerSecond: 0 },
      ...{ latencyMs: 0, inFlight: 0, costMicroUsd: null, quotaScore: 1, healthScore: 1, latencyScore: 1 },
    });
    expect(contexts.get("b")).toMatchObject({ priority: 40, maxPriority: 40, weight: 1, priorityScore: 1 });
  });

  it("the context agrees with the forecast: the smallest ratio, the nearest exhaustion, the fastest burn", () => {
    const { limiter, contexts } = seen((spy) => {
      const { clock, limiter: used } = limiterWith(spy, {
        providers: [{ name: "a", limits: { rpm: 100, rph: 300, tpm: 5_000 } }],
        capabilities: { chat: ["a"] },
      });
      for (let i = 0; i < 40; i++) {
        clock.advanceMs(100);
        used.observe({ provider: "a", usage: { tokens: 90 }, outcome: { status: "success", latencyMs: 30 } });
      }
      return used;
    });
    const context = contexts.get("a")!;
    const forecasts = limiter.forecast("a")!;
    const ratios = forecasts.map(({ remaining, limit }) => remaining / limit);
    const exhaustions = forecasts.map(({ exhaustedInMs }) => exhaustedInMs ?? Number.POSITIVE_INFINITY);
    expect(context.quotaRemainingRatio).toBeCloseTo(Math.min(...ratios), 12);
    expect(context.predictedExhaustionSeconds).toBeCloseTo(Math.min(...exhaustions) / 1_000, 9);
    expect(context.burnPerSecond).toBeCloseTo(Math.max(...forecasts.map(({ burnPerSecond }) => burnPerSecond)), 9);
    expect(context.predictedExhaustionSeconds).toBeGreaterThan(0);
    expect(context.predictedExhaustionSeconds).toBeLessThan(60);
    expect(context).toMatchObject({ latencyMs: 30, maxLatencyMs: 30, latencyScore: 0 });
  });

  it.each([
    [{}, null],
    [{ tokens: 100 }, 1_500],
    [{ inputTokens: 100, outputTokens: 10 }, 450],
    [{ tokens: 110, inputTokens: 100 }, 450],
    [{ costMicroUsd: 7 }, 7],
    [{ tokens: 0 }, 0],
  ])("the context contains the cost of a request with %j as %j", (options, expected) => {
    const price = { usdPerMillionInputTokens: 3, usdPerMillionOutputTokens: 15 };
    const { contexts } = seen((spy) => limiterWith(spy, { providers: [{ name: "a", price }] }).limiter, options);
    expect(contexts.get("a")!.costMicroUsd).toBe(expected);
  });

  it("the context contains a cost per request without stated amounts, and null without a price", () => {
    const { contexts } = seen(
      (spy) =>
        limiterWith(spy, { providers: [{ name: "a", price: { usdPerRequest: 0.0079 } }, { name: "b" }] }).limiter,
    );
    expect(contexts.get("a")!.costMicroUsd).toBe(7_900);
    expect(contexts.get("b")!.costMicroUsd).toBeNull();
  });
});
