// The built-in scorers: the contract, their formulas and their order.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  GrateLimiter,
  MockClock,
  PriorityScorer,
  type ProviderScoreContext,
  type ScoringStrategy,
  WeightedScorer,
} from "../../src/index.ts";
import { context, PLAIN, scorerContract } from "../support/scorer-contract.ts";

const cheapestFirst: ScoringStrategy = {
  score: ({ costMicroUsd }) => (costMicroUsd === null ? Number.NEGATIVE_INFINITY : -costMicroUsd),
};
const constant = (score: number): ScoringStrategy => ({ score: () => score });

describe("WeightedScorer", () => {
  scorerContract(() => new WeightedScorer());

  it("the WeightedScorer computes (weights x parts) x weight, and a missing weight has its default", () => {
    const weight = fc.constantFrom(undefined, 0, 0.05, 0.4, 1, 12);
    const weights = fc.record({ quota: weight, health: weight, priority: weight, latency: weight });
    fc.assert(
      fc.property(context, weights, (facts, given) => {
        const { quota = 0.4, health = 0.35, priority = 0.2, latency = 0.05 } = given;
        const parts =
          quota * facts.quotaScore +
          health * facts.healthScore +
          priority * facts.priorityScore +
          latency * facts.latencyScore;
        const score = new WeightedScorer(given).score(facts);
        expect(Math.abs(score - parts * facts.weight)).toBeLessThanOrEqual(1e-12 * Math.max(1, score));
      }),
    );
    expect(new WeightedScorer().score(PLAIN)).toBeCloseTo(1, 12);
    expect(new WeightedScorer({}).score({ ...PLAIN, quotaScore: 0 })).toBeCloseTo(0.6, 12);
  });

  it("the WeightedScorer rejects all invalid weights together", () => {
    for (const value of [Number.NaN, -0.1, Number.POSITIVE_INFINITY, "1", null, 1n] as never[]) {
      expect(() => new WeightedScorer({ quota: value, health: value, priority: value, latency: value })).toThrow(
        expect.objectContaining({
          code: "invalid_config",
          problems: expect.arrayContaining(
            ["quota", "health", "priority", "latency"].map((path) => expect.objectContaining({ path })),
          ),
        }),
      );
    }
    expect(() => new WeightedScorer({ qouta: 1 } as never)).toThrow('qouta: unknown "qouta", did you mean "quota"?');
    expect(() => new WeightedScorer(null as never)).toThrow();
  });
});

describe("PriorityScorer", () => {
  describe("the PriorityScorer alone", () => scorerContract(() => new PriorityScorer()));
  describe("the PriorityScorer with a strategy for equal priorities", () =>
    scorerContract(() => new PriorityScorer(new WeightedScorer())));

  const at = (priority: number): ProviderScoreContext => ({ ...PLAIN, priority });

  it("the PriorityScorer alone gives the higher priority the higher score, whatever the numbers, and equal ones the same", () => {
    const scorer = new PriorityScorer();
    const priority = fc.double({ min: 0, max: Number.MAX_VALUE, noNaN: true });
    fc.assert(
      fc.property(priority, priority, (a, b) => {
        expect(Math.sign(scorer.score(at(a)) - scorer.score(at(b)))).toBe(Math.sign(a - b));
      }),
    );
  });

  it("with a strategy for equal priorities no score lifts a provider over the next priority", () => {
    const priority = fc.oneof(
      fc.integer({ min: 0, max: 2 ** 24 }),
      fc.integer({ min: 0, max: 1_000_000 }).map((hundredths) => hundredths / 100),
    );
    const within = fc.oneof(
      fc.double(),
      fc.constantFrom(0, 1, -1, 1e300, -1e300, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
    );
    fc.assert(
      fc.property(priority, priority, within, within, (a, b, ofA, ofB) => {
        fc.pre(a !== b);
        const scoreOf = (p: number, score: number) => new PriorityScorer(constant(score)).score(at(p));
        expect(Math.sign(scoreOf(a, ofA) - scoreOf(b, ofB))).toBe(Math.sign(a - b));
      }),
      { numRuns: 1_000 },
    );
  });

  it("with a strategy for equal priorities neighbours a hundredth apart keep their order", () => {
    for (const [low, high] of [
      [0, 0.01],
      [0.99, 1],
      [9.99, 10],
      [999.99, 1_000],
    ] as const) {
      const best = new PriorityScorer(constant(Number.MAX_VALUE)).score(at(low));
      const worst = new PriorityScorer(constant(-Number.MAX_VALUE)).score(at(high));
      expect(best, `${low} before ${high}`).toBeLessThan(worst);
    }
  });

  it.each([0, 0.5, 1, 10, 65_535])(
    "providers of equal priority %d rank by the scores of the other strategy",
    (priority) => {
      const shares = fc.uniqueArray(fc.integer({ min: 0, max: 1_000 }), { minLength: 2, maxLength: 2 });
      fc.assert(
        fc.property(shares, ([a, b]) => {
          const scoreOf = (thousandths: number) =>
            new PriorityScorer(constant(thousandths / 1_000)).score({ ...PLAIN, priority });
          expect(Math.sign(scoreOf(a!) - scoreOf(b!))).toBe(Math.sign(a! - b!));
        }),
      );
    },
  );

  it.each([1, 100, 10_000, 1_000_000, 10_000_000])(
    "providers of equal priority rank by cost, also if requests cost %d micro-USD and a hundredth more",
    (costMicroUsd) => {
      const scorer = new PriorityScorer(cheapestFirst);
      const dear = Math.ceil(costMicroUsd * 1.01);
      const cheap = scorer.score({ ...PLAIN, costMicroUsd });
      expect(cheap).toBeGreaterThan(scorer.score({ ...PLAIN, costMicroUsd: dear }));
      expect(cheap).toBeGreaterThan(scorer.score({ ...PLAIN, costMicroUsd: null }));
    },
  );

  function order(scoring: ScoringStrategy) {
    const limiter = new GrateLimiter({
      clock: new MockClock(),
      scoring,
      providers: [
        { name: "worn", limits: { rpm: 100 }, priority: 10.5 },
        { name: "fresh", limits: { rpm: 100 }, priority: 10.25 },
        { name: "same", limits: { rpm: 100 }, priority: 10.25 },
      ],
      capabilities: { chat: ["same", "fresh", "worn"] },
    });
    const use = (provider: "worn" | "fresh" | "same", requests: number) =>
      limiter.observe({ provider, usage: { requests }, outcome: { status: "success" } });
    const ranked = () => {
      const { provider, alternatives } = limiter.select("chat");
      return [provider, ...alternatives.map((other) => other.provider)];
    };
    return { use, ranked };
  }

  it("a limiter with the PriorityScorer uses the highest priority as long as it has capacity", () => {
    const { use, ranked } = order(new PriorityScorer());
    use("worn", 99);
    expect(ranked()).toEqual(["worn", "same", "fresh"]);
    use("worn", 1);
    expect(ranked()).toEqual(["same", "fresh", "worn"]);
  });

  it("a limiter with the PriorityScorer ranks equal priorities by the inner strategy", () => {
    const { use, ranked } = order(new PriorityScorer(new WeightedScorer()));
    use("same", 30);
    expect(ranked()).toEqual(["worn", "fresh", "same"]);
    use("fresh", 60);
    expect(ranked()).toEqual(["worn", "same", "fresh"]);
  });
});

describe("a custom strategy that prefers the cheapest provider", () => {
  scorerContract(() => cheapestFirst);

  it("the cheapest provider with capacity is used, and one without a known price ranks last", () => {
    const limiter = new GrateLimiter({
      clock: new MockClock(),
      scoring: cheapestFirst,
      providers: [
        { name: "unpriced", priority: 100 },
        { name: "dear", price: { usdPerMillionInputTokens: 3, usdPerMillionOutputTokens: 15 } },
        {
          name: "cheap",
          price: { usdPerMillionInputTokens: 0.25, usdPerMillionOutputTokens: 1.25 },
          limits: { rpm: 1 },
        },
      ],
      capabilities: { chat: ["unpriced", "dear", "cheap"] },
    });
    const needs = { inputTokens: 1_000, outputTokens: 200 };
    const decision = limiter.select("chat", needs);
    expect(decision).toMatchObject({ provider: "cheap", score: -500 });
    expect(decision.alternatives).toEqual([
      { provider: "dear", score: -6_000 },
      { provider: "unpriced", score: -Number.MAX_VALUE },
    ]);
    limiter.observe({ provider: "cheap", usage: needs, outcome: { status: "success" } });
    expect(limiter.select("chat", needs).provider).toBe("dear");
  });
});
