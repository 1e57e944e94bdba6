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

  it("a trial that ends with success sets health to at least recoveredHealth", () => {
    const { ended, preferred } = served();
    ended("success");
    expect(preferred()).toMatchObject({ state: "available", health: 0.9 });
    const better = served({ health: { recoveredHealth: 0 } });
    better.clock.advanceSecs(3_000);
    const healed = better.preferred().health;
    expect(healed).toBeGreaterThan(0.98);
    better.ended("success");
    expect(better.preferred().health).toBe(1);
    const never = served({ health: { recoveredHealth: 0.3, boostSuccess: 0 } });
    never.ended("success");
    expect(never.preferred().health).toBe(0.3);
  });

  it("a second success after a trial does not lift health again", () => {
    const { ended, preferred } = served();
    ended("success");
    ended("forbidden");
    ended("success");
    expect(preferred().health).toBeCloseTo(0.42, 12);
  });

  it.each([
    ["the multiplier times cooldownSeconds", 20_000, {}, 60_000],
    ["at least cooldownSeconds, with a multiplier below 1", 40_000, { cooldownMultiplier: 0.5 }, 30_000],
    ["independent of a stated wait before", 7_200_000, {}, 60_000],
    ["capped", 20_000, { cooldownMultiplier: 30, maxCooldownSeconds: 600 }, 600_000],
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
    expect(started).toEqual([40_000, 90_000, 60_000]);
  });

  it("the cooldown grows with each failed trial, also for different kinds of failure, and a success resets it", () => {
    const { clock, ended, started } = served({ servedMs: 30_000, health: { maxCooldownSeconds: 600 } });
    const failures = ["timeout", "rate_limited", "overloaded"] as const;
    for (const status of failures) {
      ended(status);
      clock.advanceSecs(600);
    }
    expect(started).toEqual([30_000, 60_000, 120_000, 240_000]);
    ended("success");
    clock.advanceMs(500);
    ended("server_error");
    ended("server_error");
    expect(started).toHaveLength(4);
    ended("server_error");
    expect(started.at(-1)).toBe(30_000);
  });

  it("a trial is decided neither by cancelled, nor by client_error, nor by observations from before it", () => {
    const { ended, preferred, clock } = served();
    ended("cancelled");
    ended("client_error");
    expect(preferred().state).toBe("trial");
    expect(preferred().health).toBeLessThan(0.1);
    ended("rate_limited");
    clock.advanceMs(59_999);
    ended("success");
    expect(preferred()).toMatchObject({ state: "cooldown", cooldownMs: 1 });
    expect(preferred().health).toBeLessThan(0.2);
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

describe("a probe", () => {
  /** Two providers directly after the start of a cooldown of the first one. */
  function cooling({ cooldownSeconds = 40, status = "timeout" as StatusClass, health = {} } = {}) {
    const clock = new MockClock();
    const limiter = new GrateLimiter({
      ...{ clock, health: { cooldownTriggerCount: 1, ...health } },
      providers: [{ name: "a", cooldownSeconds }, { name: "b" }],
      capabilities: { chat: ["a", "b"] },
    });
    const ended = (provider: "a" | "b", outcome: StatusClass, retryAfterMs?: number) =>
      limiter.observe({ provider, outcome: { status: outcome, retryAfterMs } });
    ended("a", status);
    const refusalIn = (options = {}) => {
      const answer = limiter.tryAcquire("chat", options);
      if (answer.granted) answer.release();
      return answer.granted ? answer.provider : answer.retryAfterMs;
    };
    return { clock, limiter, ended, refusalIn };
  }
  const ONLY_A = { only: ["a"] } as const;

  it("a request without another eligible provider can probe after 5 s, or after cooldownSeconds if that is more", () => {
    for (const [cooldownSeconds, failedTrials, probeMs] of [
      [1, 0, 1_000],
      [1, 4, 5_000],
      [3, 2, 5_000],
      [8, 1, 8_000],
      [40, 0, 40_000],
    ] as const) {
      const { clock, limiter, ended, refusalIn } = cooling({ cooldownSeconds });
      for (let i = 0; i < failedTrials; i++) {
        clock.advanceMs(limiter.inspect().providers[0]!.cooldownMs);
        ended("a", "server_error");
      }
      expect(refusalIn(ONLY_A)).toBe(probeMs);
      clock.advanceMs(probeMs - 1);
      expect(refusalIn(ONLY_A)).toBe(1);
      clock.advanceMs(1);
      expect(refusalIn(ONLY_A)).toBe("a");
      expect(limiter.select("chat", ONLY_A).provider).toBe("a");
    }
  });

  it("for a request with another eligible provider the cooldown holds, also if that provider is full", () => {
    const { clock, limiter, ended, refusalIn } = cooling({ cooldownSeconds: 5 });
    clock.advanceMs(5_000);
    ended("a", "server_error");
    clock.advanceMs(5_000);
    expect(limiter.inspect().providers[0]).toMatchObject({ state: "cooldown", cooldownMs: 5_000 });
    expect(limiter.select("chat")).toMatchObject({ provider: "b", alternatives: [] });
    expect(refusalIn()).toBe("b");
    limiter.updateProvider("b", { limits: { concurrency: 1 } });
    const held = limiter.tryAcquire("chat");
    expect(held).toMatchObject({ granted: true, provider: "b" });
    expect(refusalIn()).toBe(5_000);
    for (const makeIneligible of [
      () => limiter.updateProvider("b", { paused: true }),
      () => limiter.updateProvider("b", { paused: false }),
      () => ended("b", "rate_limited", 60_000),
      () => limiter.reviveProvider("b"),
      () => ended("b", "unauthorized"),
      () => limiter.reviveProvider("b"),
      () => limiter.removeProvider("b"),
    ]) {
      makeIneligible();
      const state = limiter.inspect().providers.find(({ name }) => name === "b")?.state;
      expect(refusalIn(), state).toBe(state === "available" ? 5_000 : "a");
    }
  });

  it("no request probes during a cooldown after a rate limit or a stated wait", () => {
    for (const [status, retryAfterMs] of [
      ["rate_limited", undefined],
      ["quota_exhausted", undefined],
      ["timeout", 60_000],
    ] as const) {
      const { clock, ended, limiter, refusalIn } = cooling();
      limiter.reviveProvider("a");
      clock.advanceMs(1);
      ended("a", status, retryAfterMs);
      const ms = limiter.inspect().providers[0]!.cooldownMs;
      clock.advanceMs(ms - 1);
      expect(refusalIn(ONLY_A), status).toBe(1);
    }
  });

  it("one probe at a time is granted; its failure doubles the cooldown, and its success ends it", () => {
    const { clock, limiter } = cooling({ cooldownSeconds: 4 });
    const events: unknown[] = [];
    limiter.on("cooldownStarted", ({ durationMs }) => events.push(durationMs));
    limiter.on("cooldownEnded", () => events.push("ended"));
    const probe = () => {
      const lease = limiter.tryAcquire("chat", ONLY_A);
      if (!lease.granted) return expect.unreachable("refused");
      expect(limiter.tryAcquire("chat", ONLY_A)).toMatchObject({
        reasons: [{ reason: "ramping", retryAfterMs: null }, {}],
      });
      return lease;
    };
    clock.advanceMs(4_000);
    probe().settle({ status: "server_error" });
    clock.advanceMs(5_000);
    const cancelled = probe();
    cancelled.settle({ status: "cancelled" });
    probe().settle({ status: "client_error" });
    probe().settle({ status: "forbidden" });
    clock.advanceMs(5_000);
    probe().settle();
    expect(limiter.inspect().providers[0]).toMatchObject({ state: "available", health: 0.9, cooldownMs: 0 });
    expect(events).toEqual(["ended", 8_000, 16_000, "ended"]);
    expect(limiter.metrics.cooldownsTriggered).toBe(3);
  });
});
