// The contract of scoring strategies: one suite for all implementations.
import fc from "fast-check";
import { expect, it } from "vitest";
import type { ProviderScoreContext, ScoringStrategy } from "../../src/index.ts";

const part = fc.double({ min: 0, max: 1, noNaN: true });

/** Contexts as a limiter creates them. */
export const context: fc.Arbitrary<ProviderScoreContext> = fc.record({
  provider: fc.constantFrom("a", "b"),
  capability: fc.constant("chat"),
  quotaScore: part,
  healthScore: part,
  priorityScore: part,
  latencyScore: part,
  priority: fc.constantFrom(0, 0.5, 1, 8, 10, 16_777_216, 1e12),
  maxPriority: fc.constant(1e12),
  weight: fc.constantFrom(0, 0.5, 1, 100),
  quotaRemainingRatio: part,
  predictedExhaustionSeconds: fc.constantFrom(0, 3.5, Number.POSITIVE_INFINITY),
  burnPerSecond: fc.constantFrom(0, 1, 1e6),
  latencyMs: fc.constantFrom(0, 12.5, 1e5),
  maxLatencyMs: fc.constantFrom(1, 1e5),
  inFlight: fc.constantFrom(0, 3),
  demand: fc.constant({}),
  quotas: fc.constant([]),
  costMicroUsd: fc.constantFrom(null, 0, 5, 2 ** 53 - 1),
});

/** The context with which most tests start. */
export const PLAIN: ProviderScoreContext = {
  provider: "a",
  capability: "chat",
  quotaScore: 1,
  healthScore: 1,
  priorityScore: 1,
  latencyScore: 1,
  priority: 10,
  maxPriority: 10,
  weight: 1,
  quotaRemainingRatio: 1,
  predictedExhaustionSeconds: Number.POSITIVE_INFINITY,
  burnPerSecond: 0,
  latencyMs: 0,
  maxLatencyMs: 1,
  inFlight: 0,
  demand: {},
  quotas: [],
  costMicroUsd: null,
};

/** Runs the contract of scoring strategies. */
export function scorerContract(make: () => ScoringStrategy): void {
  it("a score is a number", () => {
    const scorer = make();
    fc.assert(
      fc.property(context, (facts) => {
        const score = scorer.score(facts);
        expect(typeof score === "number" && !Number.isNaN(score)).toBe(true);
      }),
    );
  });

  it("a score depends on the facts only: not on earlier calls or on the identity of the context", () => {
    const scorer = make();
    fc.assert(
      fc.property(context, context, (facts, other) => {
        const score = scorer.score(facts);
        scorer.score(other);
        expect(scorer.score({ ...facts })).toBe(score);
        expect(make().score(facts)).toBe(score);
      }),
    );
  });

  it("a strategy does not write to the context", () => {
    fc.assert(
      fc.property(context, (facts) => {
        const before = { ...facts };
        make().score(Object.freeze(facts));
        expect(facts).toEqual(before);
      }),
    );
  });
}
