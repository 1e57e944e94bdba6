// A completed cooldown leads to one trial.
import { describe, expect, it } from "vitest";
import { GrateLimiter, type HealthOptions, MockClock, type StatusClass } from "../../../src/index.ts";

/** A preferred provider directly after a cooldown of `servedMs`, and a backup. */
function served({ servedMs = 10_000, health = {} }: { servedMs?: number; health?: HealthOptions } = {}) {
  const clock = new MockClock();
  const limiter = new GrateLimiter({
    clock,
    health,
    minimumHealthScore: 0.2,
    providers: [{ name: "preferred", cooldownSeconds: 30 }, { name: "backup" }],
    capabilities: { chat: [{ provider: "preferred", priority: 10 }, "backup"] },
  });
  const started: number[] = [];
  limiter.on("cooldownStarted", ({ durationMs }) => started.push(durationMs));
  const ended = (status: StatusClass, retryAfterMs?: number) =>
    limiter.observe({ provider: "preferred", outcome: { status, retryAfterMs } });
  const preferred = () => limiter.inspect().providers[0]!;
  ended("forbidden");
  ended("forbidden");
  ended("rate_limited", servedMs);
  clock.advanceMs(servedMs);
  return { clock, limiter, ended, preferred, started };
}

describe("a trial", () => {
  it("a trial makes a provider below the minimum health eligible with a health part of 1, without changing its health", () => {
    const { limiter, preferred } = served();
    expect(preferred()).toMatchObject({ state: "trial", cooldownMs: 0 });
    expect(preferred().health).toBeLessThan(0.2);
    const decision = limiter.select("chat");
    expect(decision.provider).toBe("preferred");
    expect(decision.breakdown.healthScore).toBe(1);
    expect(limiter.providerHealth("preferred")).toBeLessThan(0.2);
  });

  it("a trial is not ended by selects, reads or time", () => {
    const { clock, limiter, preferred } = served();
    for (let i = 0; i < 50; i++) expect(limiter.select("chat").provider).toBe("preferred");
    clock.advanceSecs(1);
    expect(preferred().state).toBe("trial");
    clock.advanceSecs(1e7);
    expect(preferred().state).toBe("trial");
  });

  it.each(["success", "client_error"] as const)(
    "a trial that ends with %s sets health to at least recoveredHealth",
    (status) => {
      const { ended, preferred } = served();
      ended(status);
      expect(preferred()).toMatchObject({ state: "available", health: 0.9 });
      const better = served({ health: { recoveredHealth: 0 } });
      better.clock.advanceSecs(3_000);
      const healed = better.preferred().health;
      expect(healed).toBeGreaterThan(0.98);
      better.ended(status);
      expect(better.preferred().health).toBe(1);
      const never = served({ health: { recoveredHealth: 0.3, boostSuccess: 0 } });
      never.ended(status);
      expect(never.preferred().health).toBe(0.3);
    },
  );

  it("a second success after a trial does not lift health again", () => {
    const { ended, preferred } = served();
    ended("success");
    ended("forbidden");
    ended("success");
    expect(preferred().health).toBeCloseTo(0.42, 12);
  });

  it.each([
    ["the multiplier times the last cooldown", 20_000, {}, 40_000],
    ["at least cooldownSeconds", 1_000, {}, 30_000],
    ["at least cooldownSeconds, with a multiplier below 1", 40_000, { cooldownMultiplier: 0.5 }, 30_000],
    ["capped", 500_000, {}, 600_000],
    ["capped below the last", 7_200_000, {}, 600_000],
    ["capped below cooldownSeconds", 20_000, { maxCooldownSeconds: 25 }, 25_000],
  ] as const)(
    "a trial that ends with a failure starts a cooldown of the documented length: %s",
    (_, servedMs, health, expected) => {
      for (const status of ["rate_limited", "server_error", "forbidden", "timeout", "overloaded"] as const) {
        const { ended, preferred } = served({ servedMs, health });
        ended(status);
        expect(preferred(), status).toMatchObject({ state: "cooldown", cooldownMs: expected });
      }
    },
  );

  it("a trial that ends with a failure and a stated wait starts a cooldown of that length", () => {
    const { clock, ended, preferred, started } = served({ servedMs: 40_000 });
    ended("rate_limited", 90_000);
    expect(preferred().cooldownMs).toBe(90_000);
    clock.advanceMs(90_000);
    ended("rate_limited", 0);
    expect(started).toEqual([40_000, 90_000, 180_000]);
  });

  it("the cooldown grows with each failed trial, also for different kinds of failure, and a success resets it", () => {
    const { clock, ended, started } = served({ servedMs: 30_000 });
    const failures = ["timeout", "rate_limited", "overloaded"] as const;
    for (const status of failures) {
      ended(status);
      clock.advanceSecs(600);
    }
    expect(started).toEqual([30_000, 60_000, 120_000, 240_000]);
    ended("success");
    ended("server_error");
    ended("server_error");
    expect(started).toHaveLength(4);
    ended("server_error");
    expect(started.at(-1)).toBe(30_000);
  });

  it("a trial is decided neither by cancelled nor by observations from before it", () => {
    const { ended, preferred, clock } = served();
    ended("cancelled");
    expect(preferred().state).toBe("trial");
    ended("rate_limited");
    clock.advanceMs(29_999);
    ended("success");
    expect(preferred()).toMatchObject({ state: "cooldown", cooldownMs: 1 });
    expect(preferred().health).toBeLessThan(0.1);
    clock.advanceMs(1);
    expect(preferred().state).toBe("trial");
    ended("success");
    expect(preferred()).toMatchObject({ state: "available", health: 0.9 });
  });

  it("a dead or paused provider keeps its trial for later, and an upsert does not remove it", () => {
    const { limiter, ended, preferred } = served();
    limiter.updateProvider("preferred", { paused: true });
    expect(preferred().state).toBe("paused");
    ended("unauthorized");
    expect(preferred().state).toBe("dead");
    limiter.upsertProvider({ name: "preferred" });
    expect(preferred().state).toBe("trial");
    limiter.reviveProvider("preferred");
    expect(preferred()).toMatchObject({ state: "available", health: 1 });
  });

  it("old failures start no cooldown at a provider that has recovered from rate limits", () => {
    const { ended, preferred } = served();
    ended("success");
    ended("forbidden");
    ended("server_error");
    expect(preferred().state).toBe("available");
  });
});
