// The classic profile against the model of the ports, over random traffic.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Decision, GrateLimiter, MockClock, NoAvailableProviders, Window } from "../../src/index.ts";
import { type PortedDecision, PortedEngine, type PortedProvider, type PortedStatus } from "../support/ported-engine.ts";
import { propertyRuns } from "../support/test-effort.ts";

const WINDOWS = { second: 1_000, minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const;

interface Quota {
  dimension: "requests" | "tokens" | "bytes" | "concurrency";
  window: keyof typeof WINDOWS;
  limit: number;
}

// Limits that refill a multiple of one half in every half second, so that rounding never decides.
const limit = fc.constantFrom<Pick<Quota, "window" | "limit">>(
  { window: "minute", limit: 60 },
  { window: "minute", limit: 120 },
  { window: "minute", limit: 0 },
  { window: "second", limit: 4 },
  { window: "hour", limit: 3_600 },
  { window: "day", limit: 86_400 },
);
const quota: fc.Arbitrary<Quota> = fc.oneof(
  fc.tuple(fc.constantFrom("requests", "tokens", "bytes"), limit).map(([dimension, of]) => ({ dimension, ...of })),
  fc.constant<Quota>({ dimension: "concurrency", window: "minute", limit: 5 }),
);

const provider = fc.record({
  quotas: fc.array(quota, { maxLength: 3 }),
  cooldownSeconds: fc.constantFrom(0, 2, 7.9, 60, 1_000),
});

const NAMES = ["a", "b", "c"] as const;
const listed = fc.array(
  fc.record({ provider: fc.constantFrom(...NAMES, "ghost"), priority: fc.constantFrom(0, 0, 5, 10) }),
  { minLength: 1, maxLength: 5 },
);

const step = fc.record({
  advanceMs: fc.constantFrom(0, 0, 500, 1_000, 2_000, 15_000, 60_000, 400_000),
  provider: fc.constantFrom(...NAMES),
  requests: fc.constantFrom(0, 1, 1, 7, 50),
  tokens: fc.constantFrom(undefined, 0, 30),
  bytes: fc.constantFrom(undefined, 3),
  status: fc.constantFrom<PortedStatus>(
    ...(["success", "success", "client_error", "rate_limited", "rate_limited"] as const),
    ...(["forbidden", "server_error", "timeout"] as const),
  ),
  latencyMs: fc.constantFrom(0, 20, 350.5),
});

function ranked(limiter: GrateLimiter): Decision | null {
  try {
    return limiter.select("chat");
  } catch (error) {
    if (NoAvailableProviders.is(error)) return null;
    throw error;
  }
}

function expectSame(got: Decision | null, expected: readonly PortedDecision[]): void {
  const [best, ...others] = expected;
  expect(got === null).toBe(best === undefined);
  if (got === null || best === undefined) return;
  expect([got.provider, ...got.alternatives.map((other) => other.provider)]).toEqual(
    expected.map((decision) => decision.provider),
  );
  expect(got.waitMs).toBe(0);
  const pairs = [
    [got.score, best.score],
    [got.breakdown.quotaScore, best.quota],
    [got.breakdown.healthScore, best.health],
    [got.breakdown.priorityScore, best.priority],
    [got.breakdown.latencyScore, best.latency],
    ...got.alternatives.map((alternative, i) => [alternative.score, others[i]!.score]),
  ];
  for (const [value, known] of pairs) expect(Math.abs(value! - known!)).toBeLessThanOrEqual(1e-9);
}

describe("the classic profile", () => {
  it("the classic profile answers like the ports at the same instants", () => {
    const given = fc.record({
      providers: fc.tuple(provider, provider, provider),
      listed,
      steps: fc.array(step, { maxLength: 40 }),
    });
    fc.assert(
      fc.property(given, ({ providers, listed: list, steps }) => {
        const clock = new MockClock({ startMs: 7_000 });
        const configs = providers.map(({ quotas, cooldownSeconds }, i) => ({
          name: NAMES[i]!,
          quotas,
          cooldownSeconds,
        }));
        const limiter: GrateLimiter = new GrateLimiter<string>({
          profile: "classic",
          clock,
          providers: configs,
        });
        limiter.upsertCapability({ name: "chat", providers: list });
        const ported = configs.map((config): PortedProvider => {
          const quotas = config.quotas.map((one) => ({ ...one, windowMs: WINDOWS[one.window] }));
          return { ...config, quotas };
        });
        const engine = new PortedEngine(ported, list, clock.now());
        for (const { advanceMs, provider: name, status, latencyMs, ...usage } of steps) {
          clock.advanceMs(advanceMs);
          limiter.observe({ provider: name, usage, outcome: { status, latencyMs } });
          engine.observe(name, usage, status, latencyMs, clock.now());
          expectSame(ranked(limiter), engine.select(clock.now()));
          expect(limiter.providerHealth(name)).toBeCloseTo(engine.health(name), 9);
          expect(limiter.providerInCooldown(name)).toBe(engine.inCooldown(name, clock.now()));
          for (const dimension of ["requests", "tokens", "bytes", "concurrency"] as const) {
            expect(limiter.remainingQuota(name, dimension)).toBe(engine.remaining(name, dimension, clock.now()));
          }
        }
      }),
      { numRuns: propertyRuns(250) },
    );
  });
});

describe("additions to the ports in the classic profile", () => {
  const classic = (more = {}) => {
    const clock = new MockClock();
    const limiter: GrateLimiter = new GrateLimiter({
      profile: "classic",
      clock,
      providers: [{ name: "a", limits: { rpm: 10 }, ...more }],
      capabilities: { chat: ["a"] },
    });
    const ended = (status: number | "success" | "timeout", latencyMs?: number, retryAfterMs?: number) =>
      limiter.observe({ provider: "a", outcome: { status, latencyMs, retryAfterMs } });
    return { clock, limiter, ended };
  };

  it("a quota without a window has a minute, and a provider without cooldownSeconds has 60", () => {
    const { clock, limiter, ended } = classic({ limits: undefined, quotas: [{ dimension: "tokens", limit: 60 }] });
    expect(limiter.forecast("a")).toMatchObject([{ dimension: "tokens", limit: 60, window: Window.Minute }]);
    for (let i = 0; i < 3; i++) ended("timeout");
    clock.advanceMs(59_999);
    expect(limiter.providerInCooldown("a")).toBe(true);
    clock.advanceMs(1);
    expect(limiter.providerInCooldown("a")).toBe(false);
  });

  it("numbers are mapped first, retryAfterMs is ignored, and a missing latency is a sample of 0", () => {
    const { limiter, ended } = classic();
    ended(429, 5, 90_000);
    expect(limiter.providerInCooldown("a")).toBe(false);
    expect(limiter.providerHealth("a")).toBe(0.75);
    ended(204, 100);
    expect(limiter.inspect().providers[0]!.latencyMs).toBeCloseTo(30, 12);
    ended("success");
    expect(limiter.inspect().providers[0]!.latencyMs).toBeCloseTo(21, 12);
  });

  it("reads do not restore health, a provider's own priority is the fallback, and weight has no effect", () => {
    const { clock, limiter, ended } = classic({ weight: 9, priority: 3 });
    ended(500, 1);
    clock.advanceSecs(1e6);
    expect(limiter.providerHealth("a")).toBeCloseTo(0.9, 12);
    expect(limiter.select("chat").score).toBeLessThanOrEqual(1);
    expect(limiter.select("chat").breakdown.priorityScore).toBe(1);
  });

  it("failed calls are counted as in the ports", () => {
    const { limiter } = classic();
    expect(() => limiter.select("unknown")).toThrow(expect.objectContaining({ code: "unknown_capability" }));
    expect(() => limiter.observe({ provider: "unknown", outcome: { status: "success" } })).toThrow(
      expect.objectContaining({ code: "unknown_provider" }),
    );
    expect(limiter.metrics).toMatchObject({ selects: 1, observations: 1, noProviderAvailable: 0 });
    limiter.upsertCapability({ name: "empty", providers: [] });
    limiter.upsertCapability({ name: "unborn", providers: ["ghost"] });
    for (const name of ["empty", "unborn"]) {
      expect(() => limiter.select(name)).toThrow(expect.objectContaining({ code: "no_available_providers" }));
    }
    expect(limiter.metrics).toMatchObject({ selects: 3, noProviderAvailable: 1 });
  });

  it("forecast, inspect, on, updateProvider, removeProvider, reviveProvider and close work in the classic profile", () => {
    const { limiter, ended } = classic();
    const recorded: string[] = [];
    for (const event of ["cooldownStarted", "cooldownEnded", "limitReached"] as const) {
      limiter.on(event, () => recorded.push(event));
    }
    for (let i = 0; i < 3; i++) ended("timeout");
    expect(limiter.inspect().providers[0]).toMatchObject({ state: "cooldown", cooldownMs: 60_000 });
    limiter.reviveProvider("a");
    expect(limiter.inspect().providers[0]).toMatchObject({ state: "available", health: 1, cooldownMs: 0 });
    limiter.updateProvider("a", { limits: { rpm: 4 } });
    expect(limiter.forecast("a")).toHaveLength(1);
    ended("success");
    expect(recorded).toEqual(["cooldownStarted", "cooldownEnded", "limitReached"]);
    expect(limiter.removeProvider("a")).toBe(true);
    limiter.close();
    expect(() => limiter.select("chat")).toThrow(expect.objectContaining({ code: "closed" }));
  });
});
