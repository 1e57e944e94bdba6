import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GrateLimiter, type HealthOptions, MockClock, NoAvailableProviders } from "../../src/index.ts";
import { propertyRuns } from "../support/test-effort.ts";

// No provider is excluded for ever: after any failures time alone makes it eligible again. The exception is a dead key.

const failure = fc.record({
  status: fc.constantFrom(
    ...(["rate_limited", "forbidden", "server_error", "timeout", "overloaded", "quota_exhausted"] as const),
    ...(["cancelled", "success", "client_error"] as const),
  ),
  gapMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 120_000 }), fc.constantFrom(600_000, 7_200_000)),
  retryAfterMs: fc.option(fc.constantFrom(0, 1, 30_000, 1e9, 1e15, Number.POSITIVE_INFINITY), { nil: undefined }),
  isAsked: fc.boolean(),
});

const share = fc.oneof(fc.constantFrom(0, 1), fc.double({ min: 0, max: 1, noNaN: true }));
const health: fc.Arbitrary<HealthOptions> = fc.record(
  {
    decayHalfLifeSeconds: fc.constantFrom(1e-3, 1, 300, 86_400, 1e6),
    penalty429: fc.constantFrom(0, 0.25, 1, 1e9),
    penalty403: share,
    penalty5xx: share,
    penaltyTimeout: share,
    boostSuccess: share,
    cooldownTriggerCount: fc.integer({ min: 1, max: 4 }),
    cooldownMultiplier: fc.constantFrom(0, 0.5, 1, 2, 1e100),
    maxCooldownSeconds: fc.constantFrom(0, 1, 600, 1e6),
    recoveredHealth: share,
    cooldownThreshold: share,
  },
  { requiredKeys: [] },
);

/** Longer than any cooldown that these options allow (48 h if the provider requests it) and 60 half-lives. */
function longEnoughMs({ maxCooldownSeconds = 600, decayHalfLifeSeconds = 300 }: HealthOptions): number {
  return Math.max(48 * 3_600, maxCooldownSeconds) * 1_000 + 60 * decayHalfLifeSeconds * 1_000 + 1;
}

interface Setting {
  readonly options: HealthOptions;
  readonly minimumHealthScore: number;
  readonly cooldownSeconds: number;
  readonly startMs: number;
}

const setting: fc.Arbitrary<Setting> = fc.record({
  options: health,
  minimumHealthScore: fc.oneof(fc.constantFrom(0, 0.2, 0.999, 1), share),
  cooldownSeconds: fc.constantFrom(0, 1, 60, 1e5),
  startMs: fc.constantFrom(0, -1e6, 1e6, 1.7e12),
});

function failing({ options, minimumHealthScore, cooldownSeconds, startMs }: Setting) {
  const clock = new MockClock({ startMs });
  const limiter = new GrateLimiter({
    ...{ clock, health: options, minimumHealthScore },
    providers: [{ name: "p", limits: { rpm: 1_000_000 }, cooldownSeconds }],
    capabilities: { c: ["p"] },
  });
  return { clock, limiter };
}

/** Milliseconds until the next call is useful. 0: now. */
function retryAfterMs(limiter: GrateLimiter): number | null {
  try {
    limiter.select("c");
    return 0;
  } catch (error) {
    if (!NoAvailableProviders.is(error)) throw error;
    return error.retryAfterMs;
  }
}

describe("after any failures", () => {
  it("time alone makes a provider eligible again after any failures", () => {
    let excluded = 0;
    fc.assert(
      fc.property(fc.array(failure, { minLength: 1, maxLength: 25 }), setting, (failures, given) => {
        const { clock, limiter } = failing(given);
        for (const { status, gapMs, retryAfterMs: asked, isAsked } of failures) {
          clock.advanceMs(gapMs);
          limiter.observe({ provider: "p", outcome: { status, retryAfterMs: asked } });
          if (isAsked) retryAfterMs(limiter);
        }
        if (retryAfterMs(limiter) !== 0) excluded++;
        clock.advanceMs(longEnoughMs(given.options));
        expect(limiter.select("c")).toMatchObject({ provider: "p", waitMs: 0 });
        // It stays eligible: an unused trial is not lost.
        clock.advanceMs(1e9);
        expect(limiter.select("c").provider).toBe("p");
      }),
      { numRuns: propertyRuns(1_000) },
    );
    expect(excluded).toBeGreaterThan(100);
  });

  it("a provider is eligible again exactly when the refusal states", () => {
    fc.assert(
      fc.property(fc.array(failure, { minLength: 1, maxLength: 12 }), setting, (failures, given) => {
        const { clock, limiter } = failing(given);
        for (const { status, gapMs, retryAfterMs: asked } of failures) {
          clock.advanceMs(gapMs);
          limiter.observe({ provider: "p", outcome: { status, retryAfterMs: asked } });
        }
        // Health reaches exactly 1 only by rounding, so no instant can be stated for it.
        if (given.minimumHealthScore > 1 - 1e-9) return;
        for (let refusals = 0; ; refusals++) {
          const inMs = retryAfterMs(limiter);
          if (inMs === 0) break;
          expect(refusals).toBeLessThan(3);
          expect(inMs).not.toBeNull();
          clock.advanceMs(Math.max(0, inMs! - 1));
          const before = retryAfterMs(limiter);
          // A millisecond earlier the provider is still excluded, with one millisecond remaining.
          if (inMs! > 1) expect(before).toBe(1);
          clock.advanceMs(1);
        }
      }),
      { numRuns: propertyRuns(500) },
    );
  });

  it("a dead key is tried again by one request after 10 minutes, and no instant is stated for it", () => {
    const clock = new MockClock();
    const limiter = new GrateLimiter({ clock, providers: [{ name: "p" }], capabilities: { c: ["p"] } });
    limiter.observe({ provider: "p", outcome: { status: "unauthorized" } });
    clock.advanceMs(599_999);
    expect(retryAfterMs(limiter)).toBeNull();
    clock.advanceMs(1);
    expect(retryAfterMs(limiter)).toBe(0);
  });

  it("a dead key that is not rechecked stays dead for years, until it is upserted or revived", () => {
    for (const bring of ["upsert", "revive"] as const) {
      const clock = new MockClock();
      const limiter = new GrateLimiter({
        ...{ clock, health: { recheckDeadAfterMs: Number.POSITIVE_INFINITY } },
        providers: [{ name: "p" }],
        capabilities: { c: ["p"] },
      });
      limiter.observe({ provider: "p", outcome: { status: "unauthorized" } });
      clock.advanceMs(10 * 365 * 86_400_000);
      expect(retryAfterMs(limiter)).toBeNull();
      limiter.observe({ provider: "p", outcome: { status: "success" } });
      expect(retryAfterMs(limiter)).toBeNull();
      if (bring === "upsert") limiter.upsertProvider({ name: "p" });
      else limiter.reviveProvider("p");
      expect(limiter.select("c").provider).toBe("p");
    }
  });
});

describe("a limiter with ten thousand providers", () => {
  const COUNT = 10_000;
  const names = Array.from({ length: COUNT }, (_, i) => `provider ${i}`);

  it("ten thousand providers in one capability, and capabilities of a few providers each, are fast", () => {
    const clock = new MockClock();
    // CPU time and not wall time, so that other processes do not count.
    const began = process.cpuUsage();
    const limiter: GrateLimiter = new GrateLimiter({
      clock,
      providers: names.map((name, i) => ({ name, limits: { rpm: 100, tpd: 1e6 }, priority: i === 7_777 ? 11 : 10 })),
      capabilities: {
        all: names,
        ...Object.fromEntries(names.map((_, i) => [`capability ${i}`, [names[i]!, names[(i + 1) % COUNT]!]])),
      },
    });
    const decision = limiter.select("all");
    expect(decision.provider).toBe("provider 7777");
    expect(decision.alternatives).toHaveLength(COUNT - 1);
    expect(decision.alternatives[0]?.provider).toBe("provider 0");
    expect(decision.alternatives.at(-1)?.provider).toBe("provider 9999");
    for (let i = 0; i < COUNT; i++) {
      expect(limiter.select(`capability ${i}`).provider).toBe(i === 7_776 ? "provider 7777" : names[i]);
      limiter.observe({ provider: names[i]!, usage: { requests: 100 }, outcome: { status: "success" } });
      expect(limiter.select(`capability ${i}`).waitMs).toBe(i === COUNT - 1 ? 60_000 : 0);
    }
    expect(limiter.inspect().providers).toHaveLength(COUNT);
    for (const name of names) limiter.removeProvider(name);
    expect(limiter.inspect().providers).toEqual([]);
    for (const name of names) limiter.upsertProvider({ name });
    expect(limiter.select("all").alternatives).toHaveLength(COUNT - 1);
    // Ten times the measured time, in microseconds: only quadratic work exceeds it.
    const { user, system } = process.cpuUsage(began);
    expect(user + system).toBeLessThan(20_000_000);
  });
});
