import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Clock, GrateLimiter, MockClock, type Observation } from "../../../src/index.ts";
import { propertyRuns } from "../../support/test-effort.ts";

// If a clock goes back or returns NaN, no time has passed. The clock is read once per public call. Time alone restores
// every provider.

/** A clock with settable readings that counts its reads. */
class Scripted implements Clock {
  answer: unknown = 0;
  reads = 0;
  epochReads = 0;
  wakeUps = 0;

  now(): number {
    this.reads++;
    return this.answer as number;
  }

  epochNow(): number {
    this.epochReads++;
    return Date.UTC(2026, 0, 1) + (this.answer as number);
  }

  wakeAt(): () => void {
    this.wakeUps++;
    return () => {};
  }
}

function limiterOn(clock: Clock): GrateLimiter {
  return new GrateLimiter({
    clock,
    providers: [
      { name: "a", limits: { rpm: 5, tpd: 1_000 }, priority: 10, cooldownSeconds: 7 },
      { name: "b", quotas: [{ dimension: "requests", limit: 4, window: "second", strategy: "token_bucket" }] },
      { name: "c", quotas: [{ dimension: "requests", limit: 9, window: { seconds: 10 }, strategy: "fixed_window" }] },
    ],
    capabilities: { chat: ["a", "b", "c"] },
  });
}

/** Describes the answers of the limiter after an event as text. */
function answersTo(limiter: GrateLimiter, event: number): string {
  const provider = ["a", "b", "c"][event % 3]!;
  const status = (["success", "success", "rate_limited", "server_error", "timeout"] as const)[event % 5]!;
  const observation: Observation = { provider, usage: { tokens: event * 7 }, outcome: { status, latencyMs: event } };
  if (event % 2 === 0) limiter.observe(observation);
  let selected: unknown;
  try {
    selected = limiter.select("chat");
  } catch (error) {
    selected = (error as { reasons: unknown }).reasons;
  }
  return JSON.stringify([selected, limiter.inspect(), limiter.remainingQuota("a", "requests")]);
}

describe("a clock that goes back", () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: 0, max: 20_000 }) },
    { weight: 2, arbitrary: fc.integer({ min: -30_000, max: -1 }) },
    { weight: 1, arbitrary: fc.constantFrom(0.1, 59_999.5, 86_400_000, -86_400_000) },
  );
  const odd = fc.constantFrom(Number.NaN, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, undefined, null, "7", {});

  it("while a clock is behind its latest reading the limiter behaves as if no time passed", () => {
    const events = fc.array(fc.tuple(step, fc.nat(100)), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(events, fc.constantFrom(0, 1_000_000, -50_000), (script, startMs) => {
        const scripted = new Scripted();
        scripted.answer = startMs;
        const steady = new MockClock({ startMs, epochMs: Date.UTC(2026, 0, 1) + startMs });
        const back = limiterOn(scripted);
        const still = limiterOn(steady);
        let at = startMs;
        for (const [ms, event] of script) {
          at += ms;
          scripted.answer = at;
          if (at > steady.now()) steady.set(at);
          expect(answersTo(back, event)).toBe(answersTo(still, event));
        }
      }),
      { numRuns: propertyRuns(300) },
    );
  });

  it("an invalid clock reading counts as if no time had passed", () => {
    const events = fc.array(fc.tuple(fc.integer({ min: 0, max: 9_000 }), fc.option(odd), fc.nat(100)), {
      maxLength: 30,
    });
    fc.assert(
      fc.property(events, (script) => {
        const scripted = new Scripted();
        const steady = new MockClock({ epochMs: Date.UTC(2026, 0, 1) });
        const back = limiterOn(scripted);
        const still = limiterOn(steady);
        let at = 0;
        for (const [ms, nonsense, event] of script) {
          at += ms;
          scripted.answer = nonsense === null ? at : nonsense;
          if (nonsense === null) steady.set(at);
          expect(answersTo(back, event)).toBe(answersTo(still, event));
        }
      }),
      { numRuns: propertyRuns(300) },
    );
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, undefined, null, "5", 5n])(
    "the first clock reading can be %s",
    (nonsense) => {
      const clock = new Scripted();
      clock.answer = nonsense;
      const limiter = limiterOn({ now: () => clock.now() });
      expect(limiter.select("chat").waitMs).toBe(0);
      limiter.observe({ provider: "a", outcome: { status: "success" } });
      expect(limiter.remainingQuota("a", "requests")).toBe(4);
      clock.answer = 3_600_000;
      expect(limiter.remainingQuota("a", "requests")).toBe(5);
    },
  );
});

describe("a year without calls", () => {
  const YEAR = 365 * 86_400_000;

  it("after a year windows are empty, cooldowns are over, and health is full", () => {
    const clock = new MockClock({ epochMs: Date.UTC(2026, 4, 5) });
    const limiter = new GrateLimiter({
      clock,
      pools: { org: { limits: { rph: 50 } } },
      providers: [
        {
          name: "p",
          limits: { rps: 9, rpm: 20, rph: 30, rpd: 40, tpd: 900 },
          quotas: [
            { dimension: "requests", limit: 60, window: { seconds: 30 * 86_400 } },
            { dimension: "requests", limit: 70, window: { calendar: "month", timeZone: "Europe/Berlin" } },
            { dimension: "bytes", limit: 80, window: "day", strategy: "fixed_window", resetEpochMs: 0 },
            { dimension: "bytes", limit: 90, window: "hour", strategy: "token_bucket", burst: 10 },
          ],
          pools: ["org"],
        },
      ],
      capabilities: { chat: ["p"] },
    });
    for (let i = 0; i < 30; i++) {
      const outcome = { status: "quota_exhausted", retryAfterMs: i === 20 ? 1e12 : undefined } as const;
      limiter.observe({ provider: "p", usage: { requests: 9, tokens: 999, bytes: 300 }, outcome });
    }
    expect(limiter.providerHealth("p")).toBe(0);
    expect(limiter.providerInCooldown("p")).toBe(true);
    clock.advanceMs(YEAR);
    const [inspected] = limiter.inspect().providers;
    expect(inspected?.quotas.map(({ used }) => used)).toEqual(inspected?.quotas.map(() => 0));
    expect(inspected?.quotas.map(({ remaining, ceiling }) => remaining - ceiling)).toEqual(
      inspected?.quotas.map(() => 0),
    );
    expect(inspected?.quotas.map(({ burnPerSecond }) => burnPerSecond < 1e-9)).toEqual(
      inspected?.quotas.map(() => true),
    );
    expect(inspected).toMatchObject({ health: 1, cooldownMs: 0 });
    expect(limiter.select("chat")).toMatchObject({ provider: "p", waitMs: 0 });
    limiter.observe({ provider: "p", outcome: { status: "success" } });
    expect(limiter.inspect().providers[0]?.state).toBe("ramping");
  });
});

describe("reads of the clock", () => {
  it("a public call reads the clock at most once, and sets no timer while no call waits", () => {
    const clock = new Scripted();
    const limiter = limiterOn(clock);
    const calls: { [name: string]: () => unknown } = {
      select: () => limiter.select("chat", { requests: 2 }),
      observe: () => limiter.observe({ provider: "a", outcome: { status: "rate_limited" } }),
      upsertProvider: () => limiter.upsertProvider({ name: "d", limits: { rpm: 1, rpd: 2 } }),
      updateProvider: () => limiter.updateProvider("a", { limits: { rpm: 6, rpd: 9 } }),
      reviveProvider: () => limiter.reviveProvider("a"),
      removeProvider: () => limiter.removeProvider("d"),
      upsertPool: () => limiter.upsertPool({ name: "org", limits: { rpm: 5 } }),
      upsertCapability: () => limiter.upsertCapability({ name: "other", providers: ["a"] }),
      removeCapability: () => limiter.removeCapability("other"),
      providerHealth: () => limiter.providerHealth("a"),
      providerInCooldown: () => limiter.providerInCooldown("a"),
      providerQuotaRemaining: () => limiter.providerQuotaRemaining("a", "requests"),
      remainingQuota: () => limiter.remainingQuota("a", "requests"),
      forecast: () => limiter.forecast("a"),
      inspect: () => limiter.inspect(),
      metrics: () => limiter.metrics,
      on: () => limiter.on("limitReached", () => {}),
      close: () => limiter.close(),
    };
    for (const [name, call] of Object.entries(calls)) {
      clock.reads = 0;
      clock.answer = (clock.answer as number) + 1_000;
      call();
      expect(clock.reads, name).toBeLessThanOrEqual(1);
    }
    expect(clock.wakeUps).toBe(0);
  });

  it("every call that depends on time reads the clock again", () => {
    const clock = new MockClock();
    const limiter = limiterOn(clock);
    const used = () => limiter.observe({ provider: "a", usage: { requests: 5 }, outcome: { status: "success" } });
    used();
    expect(limiter.select("chat", { only: ["a"] }).waitMs).toBe(60_000);
    clock.advanceMs(20_000);
    expect(limiter.select("chat", { only: ["a"] }).waitMs).toBe(40_000);
    expect(limiter.forecast("a")?.[0]?.nextReleaseInMs).toBe(40_000);
    clock.advanceMs(40_000);
    expect(limiter.remainingQuota("a", "requests")).toBe(5);
  });
});
