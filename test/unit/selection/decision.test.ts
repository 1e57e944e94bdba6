// The content of a decision. Making one changes nothing.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GrateLimiter, MockClock, type ScoringWeights } from "../../../src/index.ts";
import { buildLimiter, demands, histories, listedNames, trySelect } from "../../support/random-limiter.ts";

const weight = fc.constantFrom(undefined, 0, 0.1, 0.35, 1, 7.5);
const weights: fc.Arbitrary<ScoringWeights> = fc.record({
  quota: weight,
  health: weight,
  priority: weight,
  latency: weight,
});

describe("a decision", () => {
  it("a decision reports the parts of its score: weights x parts x provider weight", () => {
    fc.assert(
      fc.property(histories, demands, weights, (history, options, scoring) => {
        const { limiter } = buildLimiter(history, 0, { scoring });
        for (const name of listedNames(history)) {
          const { decision } = trySelect(limiter, { ...options, only: [name] });
          if (decision === null) continue;
          const { quotaScore, healthScore, priorityScore, latencyScore } = decision.breakdown;
          const { quota = 0.4, health = 0.35, priority = 0.2, latency = 0.05 } = scoring;
          const sum = quota * quotaScore + health * healthScore + priority * priorityScore + latency * latencyScore;
          const own = history.providers.find((provider) => provider.name === name)?.weight ?? 1;
          expect(Math.abs(decision.score - sum * own)).toBeLessThanOrEqual(1e-12);
          for (const part of [quotaScore, healthScore, latencyScore, priorityScore]) {
            expect(part >= 0 && part <= 1, JSON.stringify(decision.breakdown)).toBe(true);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it("the score of a decision is not limited to 1", () => {
    const limiter = new GrateLimiter({
      clock: new MockClock(),
      scoring: { quota: 5, health: 5, priority: 5, latency: 5 },
      providers: [{ name: "only", weight: 10 }],
      capabilities: { chat: ["only"] },
    });
    expect(limiter.select("chat").score).toBe(200);
  });

  it("any number of decisions changes nothing except the counters", () => {
    fc.assert(
      fc.property(histories, demands, (history, options) => {
        const quiet = buildLimiter(history, 50);
        const asked = buildLimiter(history);
        const first = trySelect(asked.limiter, options);
        for (let i = 0; i < 50; i++) expect(trySelect(asked.limiter, options)).toEqual(first);
        asked.clock.advanceMs(50);
        expect(asked.limiter.inspect().providers).toEqual(quiet.limiter.inspect().providers);
        expect(trySelect(asked.limiter)).toEqual(trySelect(quiet.limiter));
        expect(asked.limiter.metrics.selects).toBe(quiet.limiter.metrics.selects + 51);
      }),
      { numRuns: 100 },
    );
  });

  it("a decision does not change during a thousand later calls", () => {
    fc.assert(
      fc.property(histories, demands, (history, options) => {
        const { clock, limiter } = buildLimiter(history);
        const { decision } = trySelect(limiter, options);
        if (decision === null) return;
        const then = JSON.stringify(decision);
        const { breakdown } = decision;
        for (let i = 0; i < 30; i++) {
          clock.advanceMs(77);
          for (const { name } of history.providers) {
            limiter.observe({ provider: name, outcome: { status: i % 3 === 0 ? "timeout" : "success", latencyMs: i } });
          }
          trySelect(limiter, options);
        }
        expect(JSON.stringify(decision)).toBe(then);
        expect(decision.breakdown).toBe(breakdown);
      }),
      { numRuns: 50 },
    );
  });

  it("the same events at the same instants give the same decision", () => {
    fc.assert(
      fc.property(histories, demands, (history, options) => {
        const [one, other] = [buildLimiter(history), buildLimiter(history)];
        expect(JSON.stringify(trySelect(one.limiter, options))).toBe(JSON.stringify(trySelect(other.limiter, options)));
        const inspected = JSON.stringify(one.limiter.inspect());
        expect(JSON.stringify(other.limiter.inspect())).toBe(inspected);
        expect(JSON.parse(inspected)).toEqual(one.limiter.inspect());
      }),
      { numRuns: 100 },
    );
  });

  it("a decision has this JSON: the breakdown appears once, as reasoning", () => {
    const limiter = new GrateLimiter({
      clock: new MockClock(),
      providers: [{ name: "a" }, { name: "b" }],
      capabilities: { chat: ["a", { provider: "b", priority: 5 }] },
    });
    const decision = limiter.select("chat");
    expect(JSON.parse(JSON.stringify(decision))).toEqual({
      provider: "a",
      score: 1,
      waitMs: 0,
      reasoning: { quotaScore: 1, healthScore: 1, priorityScore: 1, latencyScore: 1 },
      alternatives: [{ provider: "b", score: 0.9 }],
    });
    expect(decision.breakdown).toBe(decision.reasoning);
    expect(Object.keys(decision)).not.toContain("breakdown");
    expect({ ...decision }).not.toHaveProperty("breakdown");
  });
});

describe("the priority part", () => {
  function partsOf(priorities: readonly number[]) {
    const limiter = new GrateLimiter({
      clock: new MockClock(),
      providers: priorities.map((priority, i) => ({ name: `p${i}`, priority })),
      capabilities: { chat: priorities.map((_, i) => `p${i}`) },
    });
    return priorities.map((_, i) => limiter.select("chat", { only: [`p${i}`] }).breakdown.priorityScore);
  }

  it("the priority part is the priority divided by the highest of the list, or 0.5 if that is 0", () => {
    expect(partsOf([10, 5, 0])).toEqual([1, 0.5, 0]);
    expect(partsOf([0.25, 0.5])).toEqual([0.5, 1]);
    expect(partsOf([0, 0])).toEqual([0.5, 0.5]);
    expect(partsOf([7])).toEqual([1]);
  });

  it("the priority part also considers the priorities of providers that are not eligible", () => {
    const limiter = new GrateLimiter({
      clock: new MockClock(),
      providers: [{ name: "dear", priority: 40, paused: true }, { name: "mine" }],
      capabilities: { chat: ["dear", "mine"] },
    });
    expect(limiter.select("chat").breakdown.priorityScore).toBe(0.25);
  });

  it("the priority part uses the priority in the capability, else that of the provider at that moment, else 10", () => {
    const limiter = new GrateLimiter({
      clock: new MockClock(),
      providers: [{ name: "plain" }, { name: "tuned", priority: 40 }],
      capabilities: {
        bare: ["plain", "tuned"],
        own: [{ provider: "plain", priority: 20 }, "tuned"],
        unset: [{ provider: "plain" }, "tuned"],
      },
    });
    const plain = (capability: "bare" | "own" | "unset") =>
      limiter.select(capability, { only: ["plain"] }).breakdown.priorityScore;
    expect([plain("bare"), plain("own"), plain("unset")]).toEqual([0.25, 0.5, 0.25]);
    limiter.updateProvider("tuned", { priority: 20 });
    expect([plain("bare"), plain("own"), plain("unset")]).toEqual([0.5, 1, 0.5]);
    limiter.upsertProvider({ name: "plain", priority: 20 });
    expect([plain("bare"), plain("own"), plain("unset")]).toEqual([1, 1, 1]);
  });

  it("a provider that is listed twice has the priority of its first entry", () => {
    const limiter = new GrateLimiter({
      clock: new MockClock(),
      providers: [{ name: "twice" }, { name: "other" }],
      capabilities: { chat: [{ provider: "twice", priority: 4 }, "other", { provider: "twice", priority: 100 }] },
    });
    const decision = limiter.select("chat");
    expect(decision.provider).toBe("other");
    expect(decision.breakdown.priorityScore).toBe(1);
    expect(decision.alternatives).toHaveLength(1);
    expect(limiter.select("chat", { only: ["twice"] }).breakdown.priorityScore).toBe(0.4);
  });
});

describe("the latency part", () => {
  const NAMES = ["slow", "fast", "new"] as const;

  it("the latency part is 1 minus the share of the slowest listed latency, and 1 while unknown", () => {
    const limiter = new GrateLimiter({
      clock: new MockClock(),
      providers: ["slow", "fast", "new", "outside"].map((name) => ({ name })),
      capabilities: { chat: ["slow", "fast", "new"] },
    });
    const part = (name: "slow" | "fast" | "new") => limiter.select("chat", { only: [name] }).breakdown.latencyScore;
    expect(NAMES.map(part)).toEqual([1, 1, 1]);
    limiter.observe({ provider: "slow", outcome: { status: "success", latencyMs: 800 } });
    limiter.observe({ provider: "fast", outcome: { status: "success", latencyMs: 200 } });
    limiter.observe({ provider: "outside", outcome: { status: "success", latencyMs: 9_000 } });
    expect(NAMES.map(part)).toEqual([0, 0.75, 1]);
    limiter.removeProvider("slow");
    expect(part("fast")).toBe(0);
  });
});
