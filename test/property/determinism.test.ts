import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  GrateLimiter,
  GrateLimiterError,
  type LimiterEvents,
  MockClock,
  type ProviderConfig,
} from "../../src/index.ts";
import { seededRandom, withSeed } from "../support/seeded-random.ts";
import { propertyRuns } from "../support/test-effort.ts";
import { withLists } from "../support/with-lists.ts";

// The same events, clock and `random` give the same answers, byte for byte. Returned answers never change.

const STATUSES = [
  ...(["success", "success", "success", "rate_limited", "forbidden", "server_error", "timeout"] as const),
  ...(["client_error", "overloaded", "quota_exhausted", "cancelled", 429, 500, 200] as const),
];
const EVENTS: readonly (keyof LimiterEvents)[] = [
  ...(["cooldownStarted", "cooldownEnded", "limitReached", "providerDead", "providerRevived"] as const),
];

const event = fc.record({
  action: fc.constantFrom("observe", "observe", "observe", "select", "select", "update", "upsert", "revive"),
  provider: fc.constantFrom("a", "b", "c"),
  gapMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 5_000 }), fc.constantFrom(0.125, 60_000, 3_600_000)),
  amount: fc.integer({ min: 0, max: 40 }),
  status: fc.constantFrom(...STATUSES),
  retryAfterMs: fc.option(fc.integer({ min: 0, max: 90_000 }), { nil: undefined }),
});
type Event = typeof event extends fc.Arbitrary<infer E> ? E : never;

function providers(): ProviderConfig[] {
  return [
    { name: "a", limits: { rpm: 60, tpm: 5_000 }, priority: 10, pools: ["org"], price: { usdPerRequest: 0.001 } },
    {
      name: "b",
      quotas: [
        { dimension: "requests", limit: 50, window: "minute", strategy: "token_bucket", burst: 20 },
        { dimension: "cost_usd", limit: 9_000, window: { calendar: "day", timeZone: "America/New_York" } },
      ],
      weight: 0.9,
    },
    {
      name: "c",
      quotas: [{ dimension: "requests", limit: 30, window: { seconds: 7 }, strategy: "fixed_window" }],
      pools: ["org"],
    },
  ];
}

function newLimiter(clock: MockClock, seed: number): GrateLimiter {
  const options = {
    clock,
    random: seededRandom(seed),
    pools: { org: { limits: { rph: 400 } } },
    providers: providers(),
  };
  return withLists(new GrateLimiter(options), { chat: ["a", "b", { provider: "c", priority: 12 }, "nobody"] });
}

/** Performs an event and returns its result or error as text. */
function answerTo(limiter: GrateLimiter, clock: MockClock, event: Event): string {
  const { action, provider, amount, status, retryAfterMs } = event;
  clock.advanceMs(event.gapMs);
  try {
    if (action === "select") {
      const decision = limiter.select("chat", { tokens: amount, exclude: amount > 35 ? [provider] : undefined });
      return JSON.stringify([decision, decision.breakdown]);
    }
    if (action === "observe") {
      limiter.observe({ provider, usage: { tokens: amount }, outcome: { status, retryAfterMs, latencyMs: amount } });
    }
    if (action === "update") limiter.updateProvider(provider, { limits: { rpm: amount }, priority: amount % 7 });
    if (action === "upsert") limiter.upsertProvider(providers().find(({ name }) => name === provider)!);
    if (action === "revive") limiter.reviveProvider(provider);
    return "done";
  } catch (error) {
    if (!GrateLimiterError.is(error)) throw error;
    return JSON.stringify(["threw", error.message, error]);
  }
}

describe("the same events, clock and random", () => {
  it("the same events give byte-identical decisions, errors, events and inspect()", () => {
    fc.assert(
      fc.property(fc.array(event, { minLength: 5, maxLength: 80 }), fc.nat(), (events, seed) => {
        const run = () => {
          const clock = new MockClock({ startMs: 1_234.5, epochMs: Date.UTC(2026, 9, 31, 22) });
          const limiter = newLimiter(clock, seed);
          const emitted: string[] = [];
          for (const name of EVENTS) limiter.on(name, (happened) => emitted.push(name + JSON.stringify(happened)));
          for (const next of events) emitted.push(answerTo(limiter, clock, next), JSON.stringify(limiter.inspect()));
          return emitted;
        };
        expect(run()).toEqual(run());
      }),
      { numRuns: propertyRuns(150) },
    );
  });

  it("reads between events do not change later answers", () => {
    fc.assert(
      fc.property(fc.array(event, { minLength: 5, maxLength: 60 }), fc.nat(), (events, seed) => {
        const run = (isCurious: boolean) => {
          const clock = new MockClock({ epochMs: Date.UTC(2026, 9, 31, 22) });
          const limiter = newLimiter(clock, seed);
          return events.map((next) => {
            const { gapMs } = next;
            if (!isCurious) return answerTo(limiter, clock, next);
            // Time passes in two steps with reads in between; the halves are exact.
            clock.advanceMs(gapMs / 2);
            look(limiter);
            const answer = answerTo(limiter, clock, { ...next, gapMs: gapMs / 2 });
            look(limiter);
            return answer;
          });
        };
        expect(run(true)).toEqual(run(false));
      }),
      { numRuns: propertyRuns(150) },
    );
  });

  function look(limiter: GrateLimiter): void {
    limiter.inspect();
    limiter.forecast("b");
    limiter.remainingQuota("a", "requests");
    limiter.providerHealth("c");
    limiter.providerInCooldown("a");
    try {
      limiter.select("chat");
    } catch (error) {
      if (!GrateLimiterError.is(error)) throw error;
    }
  }
});

describe("returned objects", () => {
  it("a returned object does not change during a thousand later calls", () => {
    withSeed((random) => {
      const clock = new MockClock({ epochMs: Date.UTC(2026, 2, 8) });
      const limiter = newLimiter(clock, 1);
      const kept: { readonly value: unknown; readonly asTold: string; readonly call: number }[] = [];
      let call = 0;
      const keep = (value: unknown) => kept.push({ value, asTold: asText(value), call });
      for (const name of EVENTS) limiter.on(name, keep);
      for (; call < 4_000; call++) {
        const happens: Event = {
          action: random() < 0.5 ? "observe" : random() < 0.9 ? "select" : "update",
          provider: (["a", "b", "c"] as const)[Math.floor(random() * 3)]!,
          gapMs: Math.floor(random() * 900),
          amount: Math.floor(random() * 40),
          status: STATUSES[Math.floor(random() * STATUSES.length)]!,
          retryAfterMs: random() < 0.1 ? 5_000 : undefined,
        };
        answerTo(limiter, clock, happens);
        if (call > 3_000) continue;
        try {
          keep(limiter.select("chat", { tokens: happens.amount }));
        } catch (error) {
          keep((error as { reasons: unknown }).reasons);
        }
        if (call % 50 === 0)
          for (const value of [limiter.inspect(), limiter.forecast("a"), limiter.metrics]) keep(value);
      }
      expect(kept.length).toBeGreaterThan(3_000);
      for (const { value, asTold, call: at } of kept)
        if (asText(value) !== asTold) expect(asText(value), `call ${at}`).toBe(asTold);
    });
  });

  /** All properties: `breakdown` is not enumerable. */
  function asText(value: unknown): string {
    return JSON.stringify([value, (value as { breakdown?: unknown } | null)?.breakdown]);
  }
});

describe("the score", () => {
  it("the score is weights x parts x provider weight, to 1e-12", () => {
    const weight = fc.oneof(fc.constantFrom(0, 1), fc.double({ min: 0, max: 5, noNaN: true }));
    const weights = fc.record(
      { quota: weight, health: weight, priority: weight, latency: weight },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 50 }), weights, weight, fc.nat(20), (events, scoring, own, priority) => {
        const clock = new MockClock();
        const limiter = new GrateLimiter({
          clock,
          scoring,
          pools: { org: { limits: { rph: 400 } } },
          providers: providers().map((provider) => ({ ...provider, weight: own, priority })),
          capabilities: { chat: ["a", "b", "c"], a: ["a"], b: ["b"], c: ["c"] },
        });
        const { quota = 0.4, health = 0.35, priority: preference = 0.2, latency = 0.05 } = scoring;
        for (const next of events) {
          if (next.action === "observe" || next.action === "select") answerTo(limiter, clock, next);
          for (const capability of ["chat", "a", "b", "c"] as const) {
            const decision = decisionOf(limiter, capability);
            if (decision === null) continue;
            const { quotaScore, healthScore, priorityScore, latencyScore } = decision.reasoning;
            const sum = quota * quotaScore + health * healthScore + preference * priorityScore + latency * latencyScore;
            const expected = sum * own;
            if (Math.abs(decision.score - expected) > 1e-12 * Math.max(1, expected))
              expect(decision.score).toBe(expected);
            expect(decision.breakdown).toBe(decision.reasoning);
            for (const part of [quotaScore, healthScore, priorityScore, latencyScore]) {
              if (!(part >= 0 && part <= 1)) expect(part).toBeLessThanOrEqual(1);
            }
            // Alternatives have the scores with which they would have been chosen.
            for (const { provider, score } of decision.alternatives) {
              const alone = decisionOf(limiter, "chat", provider)!;
              expect(alone.score).toBe(score);
            }
          }
        }
      }),
      { numRuns: propertyRuns(80) },
    );
  });

  function decisionOf(limiter: GrateLimiter, capability: string, only?: string) {
    try {
      return limiter.select(
        capability,
        only === undefined ? undefined : { exclude: ["a", "b", "c"].filter((n) => n !== only) },
      );
    } catch (error) {
      if (!GrateLimiterError.is(error)) throw error;
      return null;
    }
  }
});
