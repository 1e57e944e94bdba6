// The start and the length of cooldowns, and observations during one.
import { describe, expect, it } from "vitest";
import { GrateLimiter, type HealthOptions, MockClock, type QuotaConfig, type StatusClass } from "../../../src/index.ts";

const HOUR_MS = 3_600_000;

interface Given {
  health?: HealthOptions;
  cooldownSeconds?: number | undefined;
  defaultCooldownSeconds?: number;
  quotas?: QuotaConfig[];
  epochMs?: number;
}

function one({ health = {}, cooldownSeconds = 30, defaultCooldownSeconds, quotas = [], epochMs = 0 }: Given = {}) {
  const clock = new MockClock({ epochMs });
  const limiter = new GrateLimiter({
    clock,
    health,
    defaultCooldownSeconds,
    providers: [{ name: "only", cooldownSeconds, quotas }],
    capabilities: { chat: ["only"] },
  });
  const started: number[] = [];
  limiter.on("cooldownStarted", ({ durationMs }) => started.push(durationMs));
  const ended = (status: StatusClass, retryAfterMs?: number) =>
    limiter.observe({ provider: "only", outcome: { status, retryAfterMs } });
  const left = () => limiter.inspect().providers[0]!.cooldownMs;
  return { clock, limiter, ended, left, started };
}

describe("the streak", () => {
  it.each(["forbidden", "server_error", "overloaded", "timeout"] as const)(
    "three consecutive %s outcomes start a cooldown of cooldownSeconds, and two do not",
    (status) => {
      const { clock, limiter, ended, left } = one();
      ended(status);
      clock.advanceSecs(1);
      ended(status);
      expect(limiter.providerInCooldown("only")).toBe(false);
      clock.advanceSecs(3_600);
      ended(status);
      expect(left()).toBe(30_000);
      clock.advanceMs(29_999);
      expect(limiter.providerInCooldown("only")).toBe(true);
      clock.advanceMs(1);
      expect(limiter.providerInCooldown("only")).toBe(false);
    },
  );

  it("the first rate_limited outcome starts a cooldown of cooldownSeconds", () => {
    const { ended, left } = one();
    ended("rate_limited");
    expect(left()).toBe(30_000);
  });

  it("three failures start no cooldown while more than three successes ended within the last 500 ms", () => {
    const outage = (successes: number, sinceMs: number) => {
      const { clock, ended, left } = one();
      for (let i = 0; i < successes; i++) ended("success");
      clock.advanceMs(sinceMs);
      let failures = 0;
      for (; left() === 0; failures++) ended("server_error");
      return failures;
    };
    expect([outage(3, 0), outage(4, 499.5), outage(4, 500), outage(50, 0), outage(50, 500)]).toEqual([3, 4, 3, 50, 3]);
    // Only the newest 64 successes count, so that memory is bounded.
    expect(outage(10_000, 0)).toBe(64);
  });

  it("with cooldownTriggerCount that number of failures in a row suffices, for rate limits too", () => {
    for (const status of ["rate_limited", "server_error"] as const) {
      const { ended, left } = one({ health: { cooldownTriggerCount: 2 } });
      for (let i = 0; i < 50; i++) ended("success");
      ended(status);
      expect(left()).toBe(0);
      ended(status);
      expect(left()).toBe(30_000);
    }
  });

  it("rate limits and failures have separate streaks, and neither kind changes the streak of the other", () => {
    const health = { cooldownTriggerCount: 3 };
    const { ended, left, limiter } = one({ health });
    for (const status of ["rate_limited", "server_error", "rate_limited", "forbidden"] as const) ended(status);
    expect(limiter.providerInCooldown("only")).toBe(false);
    ended("timeout");
    expect(left()).toBe(30_000);
    const other = one({ health });
    for (const status of ["timeout", "rate_limited", "overloaded", "rate_limited"] as const) other.ended(status);
    expect(other.left()).toBe(0);
    other.ended("rate_limited");
    expect(other.left()).toBe(30_000);
  });

  it("a success ends both streaks, and a client_error neither", () => {
    for (const [status, expected] of [
      ["success", 0],
      ["client_error", 30_000],
    ] as const) {
      const { ended, left } = one({ health: { cooldownTriggerCount: 3 } });
      for (const failure of ["rate_limited", "rate_limited", "timeout", "timeout"] as const) ended(failure);
      ended(status);
      for (const failure of ["rate_limited", "rate_limited", "timeout", "timeout"] as const) ended(failure);
      expect(left()).toBe(expected);
    }
  });

  it("a streak is not ended by cancelled, client_error, unauthorized, an update, an upsert, or time", () => {
    const { clock, limiter, ended, left } = one({ health: { cooldownTriggerCount: 3 } });
    ended("rate_limited");
    ended("rate_limited");
    ended("cancelled");
    ended("client_error");
    ended("unauthorized");
    limiter.updateProvider("only", { priority: 1 });
    limiter.upsertProvider({ name: "only", cooldownSeconds: 20 });
    clock.advanceSecs(1e6);
    ended("rate_limited");
    expect(left()).toBe(20_000);
  });

  it("the length of the streak can be configured", () => {
    const { ended, left } = one({ health: { cooldownTriggerCount: 1 } });
    ended("timeout");
    expect(left()).toBe(30_000);
  });
});

describe("the length of a cooldown", () => {
  it("the length is that of the provider, or defaultCooldownSeconds, or 1, with fractions", () => {
    const lengthOf = (given: { own?: number; byDefault?: number }) => {
      const limiter = new GrateLimiter({
        clock: new MockClock(),
        health: { cooldownTriggerCount: 1 },
        defaultCooldownSeconds: given.byDefault,
        providers: [{ name: "only", cooldownSeconds: given.own }],
      });
      limiter.observe({ provider: "only", outcome: { status: "timeout" } });
      return limiter.inspect().providers[0]!.cooldownMs;
    };
    expect(lengthOf({})).toBe(1_000);
    expect(lengthOf({ byDefault: 7 })).toBe(7_000);
    expect(lengthOf({ own: 0.75, byDefault: 7 })).toBe(750);
    expect(lengthOf({ own: 0, byDefault: 7 })).toBe(0);
    expect(lengthOf({ own: 1_000 })).toBe(1_000_000);
  });

  it("the first cooldown after a rate limit is at most the shortest window, and failed trials double it", () => {
    const quotas: QuotaConfig[] = [
      { dimension: "requests", limit: 1_000, window: "hour" },
      { dimension: "tokens", limit: 1_000, window: { seconds: 4 } },
      { dimension: "concurrency", limit: 5 },
    ];
    const { clock, ended, started } = one({ quotas });
    for (let i = 0; i < 3; i++) {
      ended("rate_limited");
      clock.advanceSecs(60);
    }
    ended("server_error");
    expect(started).toEqual([4_000, 8_000, 16_000, 60_000]);
  });

  it("a failure of a request from before the cooldown doubles nothing", () => {
    const { clock, limiter, left, started } = one({ cooldownSeconds: 1 });
    const timedOut = (latencyMs: number) =>
      limiter.observe({ provider: "only", outcome: { status: "timeout", latencyMs } });
    for (let i = 0; i < 100; i++) {
      timedOut(5_000);
      clock.advanceMs(40);
    }
    expect(started).toEqual([1_000]);
    expect(left()).toBe(0);
    timedOut(100);
    expect(started).toEqual([1_000, 2_000]);
  });

  it("each failed trial multiplies the length, without rounding, up to maxCooldownSeconds", () => {
    const { clock, ended, started } = one({
      cooldownSeconds: 1.5,
      health: { cooldownMultiplier: 1.5, maxCooldownSeconds: 7 },
    });
    for (let i = 0; i < 8; i++) {
      ended("server_error");
      clock.advanceSecs(10);
    }
    expect(started).toEqual([1_500, 2_250, 3_375, 5_062.5, 7_000, 7_000]);
  });
});

describe("retryAfterMs", () => {
  it("retryAfterMs starts a cooldown of that length immediately, after any failure", () => {
    for (const status of ["rate_limited", "quota_exhausted", "forbidden", "overloaded", "server_error"] as const) {
      const { ended, left } = one();
      ended(status, 1_234.5);
      expect(left(), status).toBe(1_234.5);
    }
  });

  it("retryAfterMs is an absolute deadline, and the later deadline applies", () => {
    const { clock, ended, left, started, limiter } = one();
    ended("rate_limited", 10_000);
    clock.advanceMs(4_000);
    ended("rate_limited", 5_999);
    expect(left()).toBe(6_000);
    ended("server_error", 6_000);
    ended("timeout");
    expect(left()).toBe(6_000);
    ended("overloaded", 6_001);
    expect(left()).toBe(6_001);
    expect(started).toEqual([10_000, 6_001]);
    expect(limiter.metrics.cooldownsTriggered).toBe(1);
  });

  it("a refusal says for how long the provider asked to wait, until a later statement or the end of the cooldown", () => {
    const { clock, limiter, ended } = one();
    const reason = () => {
      const answer = limiter.tryAcquire("chat");
      return answer.granted ? answer.settle(503) : answer.reasons[0];
    };
    ended("rate_limited", 720 * HOUR_MS);
    // One request is let through each hour.
    expect(reason()).toMatchObject({ retryAfterMs: HOUR_MS, statedWaitMs: 720 * HOUR_MS });
    expect(() => limiter.select("chat")).toThrow("in cooldown (retry in 60 min; it asked to wait 30 days)");
    clock.advanceMs(HOUR_MS);
    expect(reason()).toBeUndefined();
    expect(reason()).toMatchObject({ retryAfterMs: HOUR_MS, statedWaitMs: 719 * HOUR_MS });
    clock.advanceMs(HOUR_MS);
    ended("rate_limited", 60_000);
    expect(reason()).toEqual({ provider: "only", reason: "cooldown", retryAfterMs: 60_000 });
    ended("rate_limited", Infinity);
    expect(reason()).toMatchObject({ retryAfterMs: HOUR_MS });
    expect(reason()).not.toHaveProperty("statedWaitMs");
    limiter.reviveProvider("only");
    ended("rate_limited");
    expect(reason()).not.toHaveProperty("statedWaitMs");
  });

  it("retryAfterMs is capped at 48 hours, also as an extension, and the event carries the capped value", () => {
    const { clock, ended, left, started } = one();
    ended("rate_limited", 48 * HOUR_MS + 1);
    expect(left()).toBe(48 * HOUR_MS);
    clock.advanceMs(HOUR_MS);
    ended("rate_limited", Number.MAX_VALUE);
    expect(left()).toBe(48 * HOUR_MS);
    expect(started).toEqual([48 * HOUR_MS, 48 * HOUR_MS]);
  });

  it("retryAfterMs is not capped by maxCooldownSeconds", () => {
    const { ended, left } = one({ health: { maxCooldownSeconds: 5 } });
    ended("rate_limited", 3_600_000);
    expect(left()).toBe(3_600_000);
  });

  it("beyond one hour one trial an hour is possible, and only a success or another stated wait ends the wait", () => {
    const { clock, limiter, ended, left, started } = one();
    ended("overloaded", 10 * HOUR_MS);
    expect(left()).toBe(10 * HOUR_MS);
    for (let hour = 9; hour > 6; hour--) {
      clock.advanceMs(HOUR_MS - 1);
      expect(limiter.inspect().providers[0]!.state).toBe("cooldown");
      clock.advanceMs(1);
      expect(limiter.inspect().providers[0]!.state).toBe("trial");
      expect(limiter.select("chat").provider).toBe("only");
      ended(hour === 8 ? "server_error" : "rate_limited");
      expect(left()).toBe(hour * HOUR_MS);
    }
    expect(started).toEqual([10 * HOUR_MS]);
    clock.advanceMs(HOUR_MS);
    ended("rate_limited", 2_000);
    expect(left()).toBe(2_000);
    clock.advanceMs(2_000);
    ended("rate_limited", 5 * HOUR_MS);
    const ends: string[] = [];
    limiter.on("cooldownEnded", ({ provider }) => ends.push(provider));
    clock.advanceMs(HOUR_MS);
    ended("success");
    expect(ends).toEqual(["only"]);
    expect(limiter.inspect().providers[0]).toMatchObject({ state: "available", cooldownMs: 0 });
  });

  it("retryAfterMs of 0 sets nothing, and is ignored with a success or a cancellation", () => {
    const { ended, left, started } = one();
    ended("server_error", 0);
    ended("success", 5_000);
    ended("client_error", 5_000);
    ended("cancelled", 5_000);
    expect(left()).toBe(0);
    expect(started).toEqual([]);
  });

  it("an invalid retryAfterMs is ignored and counted", () => {
    const { ended, left, limiter } = one();
    for (const strange of [Number.NaN, -1, "5", null, 5n] as never[]) {
      ended("server_error", strange);
      ended("success");
    }
    expect(left()).toBe(0);
    expect(limiter.metrics.invalidUsages).toBe(5);
  });
});

describe("outcomes during a cooldown", () => {
  it("outcomes during a cooldown change health, and neither extend nor end the cooldown", () => {
    const { clock, limiter, ended, left, started } = one();
    ended("rate_limited");
    clock.advanceSecs(10);
    const before = limiter.providerHealth("only")!;
    ended("forbidden");
    expect(limiter.providerHealth("only")).toBeCloseTo(Math.max(0, before - 0.5), 12);
    for (let i = 0; i < 50; i++) ended("server_error");
    expect(limiter.providerHealth("only")).toBe(0);
    ended("success");
    expect(limiter.providerHealth("only")).toBeCloseTo(0.02, 12);
    expect(left()).toBe(20_000);
    expect(started).toEqual([30_000]);
  });
});

describe("quota_exhausted", () => {
  const NOON = Date.UTC(2025, 2, 14, 12);

  it("quota_exhausted starts a cooldown immediately, of retryAfterMs if it is present", () => {
    const quotas: QuotaConfig[] = [{ dimension: "tokens", limit: 10, window: { calendar: "day" } }];
    const { ended, left } = one({ epochMs: NOON, quotas });
    ended("quota_exhausted", 2_000);
    expect(left()).toBe(2_000);
  });

  it("quota_exhausted starts a cooldown until the known reset of a calendar quota", () => {
    const quotas: QuotaConfig[] = [
      { dimension: "tokens", limit: 10, window: { calendar: "day", timeZone: "Asia/Tokyo" } },
    ];
    const { clock, ended, left } = one({ epochMs: NOON, quotas });
    clock.advanceMs(1);
    ended("quota_exhausted", 0);
    expect(left()).toBe(3 * HOUR_MS - 1);
  });

  it("quota_exhausted starts a cooldown until the known reset of a fixed window", () => {
    const quotas: QuotaConfig[] = [
      { dimension: "requests", limit: 10, window: "hour", strategy: "fixed_window", resetEpochMs: NOON - 1_000 },
    ];
    const { ended, left } = one({ epochMs: NOON, quotas });
    ended("quota_exhausted");
    expect(left()).toBe(HOUR_MS - 1_000);
  });

  it("quota_exhausted without a known reset starts the growing cooldown, from the first outcome on", () => {
    const quotas: QuotaConfig[] = [
      { dimension: "requests", limit: 10, window: "hour" },
      { dimension: "requests", limit: 10, window: "day", strategy: "token_bucket" },
    ];
    const { clock, ended, started } = one({ quotas });
    for (let i = 0; i < 6; i++) {
      ended("quota_exhausted");
      clock.advanceSecs(700);
    }
    expect(started).toEqual([60_000, 120_000, 240_000, 480_000, 600_000, 600_000]);
    const patient = one({ cooldownSeconds: 1_000 });
    patient.ended("quota_exhausted");
    expect(patient.started).toEqual([1_000_000]);
    const capped = one({ health: { maxCooldownSeconds: 20 } });
    capped.ended("quota_exhausted");
    expect(capped.started).toEqual([20_000]);
  });
});

describe("cooldownThreshold", () => {
  it("a failure that leaves health below cooldownThreshold starts a cooldown of cooldownSeconds", () => {
    const { clock, ended, left } = one({ health: { cooldownThreshold: 0.5 } });
    ended("forbidden");
    expect(left()).toBe(0);
    clock.advanceSecs(1);
    ended("server_error");
    expect(left()).toBe(30_000);
  });

  it("cooldownThreshold is off by default", () => {
    const { ended, left } = one({ health: { penalty5xx: 1 } });
    ended("server_error");
    ended("server_error");
    expect(left()).toBe(0);
  });
});

describe("changes during a cooldown", () => {
  it("a cooldown survives an upsert, an update and the removal of the capability, but not a revival", () => {
    const { clock, limiter, ended, left } = one();
    ended("rate_limited", 30_000);
    clock.advanceSecs(10);
    limiter.upsertProvider({ name: "only", cooldownSeconds: 1 });
    limiter.updateProvider("only", { cooldownSeconds: 2, limits: { rpm: 5 } });
    limiter.removeCapability("chat");
    expect(left()).toBe(20_000);
    limiter.reviveProvider("only");
    expect(left()).toBe(0);
    expect(limiter.inspect().providers[0]).toMatchObject({ state: "available", health: 1 });
    ended("timeout");
    ended("timeout");
    expect(left()).toBe(0);
    ended("timeout");
    expect(left()).toBe(2_000);
  });

  it("a cooldown does not survive the removal of the provider: a provider that is declared again is new", () => {
    const { limiter, ended, left } = one();
    ended("rate_limited", 30_000);
    expect(limiter.removeProvider("only")).toBe(true);
    expect(limiter.providerInCooldown("only")).toBeNull();
    limiter.upsertProvider({ name: "only" });
    expect(left()).toBe(0);
    expect(limiter.providerHealth("only")).toBe(1);
  });
});
