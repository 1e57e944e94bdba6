// The order of the ranking: with capacity first, then by waiting time, unknown last; equal ones by score, then by the
// order of the list.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Decision, GrateLimiter, MockClock, type QuotaConfig } from "../../../src/index.ts";
import { buildLimiter, demands, histories, listedNames, trySelect } from "../../support/random-limiter.ts";

describe("the ranking", () => {
  it("the ranking equals that of the providers evaluated one by one", () => {
    fc.assert(
      fc.property(histories, demands, (history, options) => {
        const { limiter } = buildLimiter(history);
        const alone = listedNames(history).flatMap((name) => {
          const { decision } = trySelect(limiter, { ...options, only: [name] });
          return decision === null ? [] : [decision];
        });
        const { decision } = trySelect(limiter, options);
        if (decision === null) {
          expect(alone).toEqual([]);
          return;
        }
        // A stable sort keeps equal providers in the order of the list.
        const ranked = [...alone].sort((a, b) => bySoonest(a, b) || b.score - a.score);
        const [best, ...others] = ranked;
        expect({ ...decision, alternatives: [] }).toEqual({ ...best });
        expect(decision.alternatives).toEqual(others.map(({ provider, score }) => ({ provider, score })));
      }),
      { numRuns: 500 },
    );
  });

  it("the first provider has capacity exactly at now + waitMs and not a millisecond before", () => {
    fc.assert(
      fc.property(histories, demands, (history, options) => {
        const { decision } = trySelect(buildLimiter(history).limiter, options);
        if (decision === null || decision.waitMs === null) return;
        expect(Number.isSafeInteger(decision.waitMs) && decision.waitMs >= 0).toBe(true);
        const same = { ...options, only: [decision.provider] };
        expect(trySelect(buildLimiter(history, decision.waitMs).limiter, same).decision?.waitMs).toBe(0);
        if (decision.waitMs === 0) return;
        expect(trySelect(buildLimiter(history, decision.waitMs - 1).limiter, same).decision?.waitMs).toBe(1);
      }),
      { numRuns: 500 },
    );
  });

  it("waitMs decreases as time passes", () => {
    fc.assert(
      fc.property(histories, demands, fc.double({ min: 0, max: 1, noNaN: true }), (history, options, share) => {
        const { decision } = trySelect(buildLimiter(history).limiter, options);
        if (!decision?.waitMs) return;
        const passedMs = Math.floor(decision.waitMs * share);
        const later = trySelect(buildLimiter(history, passedMs).limiter, {
          ...options,
          only: [decision.provider],
        }).decision;
        expect(later?.waitMs).toBe(decision.waitMs - passedMs);
      }),
      { numRuns: 300 },
    );
  });
});

const bucketOf = (burst: number): QuotaConfig => ({
  dimension: "requests",
  limit: 0,
  window: "minute",
  strategy: "token_bucket",
  burst,
});

function threeFull(order: readonly ("minute" | "hour" | "never")[]) {
  const limiter = new GrateLimiter({
    clock: new MockClock(),
    providers: [
      { name: "minute", limits: { rpm: 1 }, priority: 1 },
      { name: "hour", limits: { rph: 1 }, priority: 5 },
      { name: "never", quotas: [bucketOf(1)], priority: 100 },
    ],
    capabilities: { chat: order },
  });
  for (const provider of order) limiter.observe({ provider, outcome: { status: "success" } });
  return limiter;
}

describe("providers without capacity", () => {
  it.each([[["minute", "hour", "never"]], [["never", "hour", "minute"]], [["hour", "never", "minute"]]] as const)(
    "the shortest wait ranks first and an unknown wait last: %j",
    (order) => {
      const decision = threeFull(order).select("chat");
      expect(decision).toMatchObject({ provider: "minute", waitMs: 60_000 });
      expect(decision.alternatives.map(({ provider }) => provider)).toEqual(["hour", "never"]);
      for (const { score } of decision.alternatives) expect(Number.isFinite(score)).toBe(true);
    },
  );

  it("waitMs is null if no time is known, and survives JSON", () => {
    const decision = threeFull(["never"]).select("chat");
    expect(decision.waitMs).toBeNull();
    expect(JSON.parse(JSON.stringify(decision)).waitMs).toBeNull();
  });

  it("providers without capacity rank after a provider with capacity, however low its score is", () => {
    const limiter = new GrateLimiter({
      clock: new MockClock(),
      providers: [
        { name: "full", limits: { rpm: 1 }, priority: 1_000, weight: 50 },
        { name: "poor", priority: 0, weight: 0 },
      ],
      capabilities: { chat: ["full", "poor"] },
    });
    limiter.observe({ provider: "full", outcome: { status: "success" } });
    const decision = limiter.select("chat");
    expect(decision).toMatchObject({ provider: "poor", score: 0, waitMs: 0 });
    expect(decision.alternatives[0]!.provider).toBe("full");
    expect(decision.alternatives[0]!.score).toBeGreaterThan(10);
  });
});

describe("ties", () => {
  it("equal providers keep the order of the capability, not that of declaration", () => {
    const limiter = new GrateLimiter({
      clock: new MockClock(),
      providers: ["x", "y", "z"].map((name) => ({ name })),
      capabilities: { up: ["z", "x", "y"], down: ["y", "z", "x"] },
    });
    const order = ({ provider, alternatives }: Decision) => [provider, ...alternatives.map((other) => other.provider)];
    expect(order(limiter.select("up"))).toEqual(["z", "x", "y"]);
    expect(order(limiter.select("down"))).toEqual(["y", "z", "x"]);
  });
});

function bySoonest(a: Decision, b: Decision): number {
  if (a.waitMs === b.waitMs) return 0;
  if (a.waitMs === null) return 1;
  return b.waitMs === null ? -1 : a.waitMs - b.waitMs;
}
