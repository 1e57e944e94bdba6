// The effect of each status and each HTTP code on health, cooldown, death and latency.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GrateLimiter, type HealthOptions, MockClock, StatusClass } from "../../../src/index.ts";

function one(health: HealthOptions = {}, cooldownSeconds = 60) {
  const clock = new MockClock();
  const limiter = new GrateLimiter({
    clock,
    health,
    providers: [{ name: "only", cooldownSeconds }],
    capabilities: { chat: ["only"] },
  });
  const ended = (status: StatusClass | number, more: { latencyMs?: number; retryAfterMs?: number } = {}) =>
    limiter.observe({ provider: "only", outcome: { status, ...more } });
  return { clock, limiter, ended };
}

/** The class of an HTTP code, exactly as documented. */
function classOf(code: number): StatusClass {
  if (code <= 399) return "success";
  if (code === 401) return "unauthorized";
  if (code === 402) return "quota_exhausted";
  if (code === 403) return "forbidden";
  if (code === 408 || code === 504) return "timeout";
  if ([420, 429, 430].includes(code)) return "rate_limited";
  if (code === 413) return "unsuitable";
  if ([421, 425, 498, 499, 503, 529].includes(code)) return "overloaded";
  return code >= 500 ? "server_error" : "client_error";
}

const CODES = Array.from({ length: 500 }, (_, i) => i + 100);

describe("the effect of a status", () => {
  it.each([
    ["rate_limited", 0.75],
    ["quota_exhausted", 0.75],
    ["forbidden", 0.5],
    ["server_error", 0.9],
    ["overloaded", 0.9],
    ["timeout", 0.8],
    ["unauthorized", 1],
    ["cancelled", 1],
    ["success", 1],
    ["client_error", 1],
  ] as const)("status %s leaves a provider of full health at %d", (status, expected) => {
    const { limiter, ended } = one();
    ended(status);
    expect(limiter.providerHealth("only")).toBeCloseTo(expected, 12);
  });

  it.each([
    ["success", 0.52],
    ["client_error", 0.5],
    ["cancelled", 0.5],
    ["unauthorized", 0.5],
  ] as const)("status %s leaves a provider of half health at %d", (status, expected) => {
    const { limiter, ended } = one();
    ended("forbidden");
    ended(status);
    expect(limiter.providerHealth("only")).toBeCloseTo(expected, 12);
  });

  it("health stays between 0 and 1", () => {
    const { limiter, ended } = one({ cooldownTriggerCount: 1_000 });
    for (let i = 0; i < 3; i++) ended("forbidden");
    expect(limiter.providerHealth("only")).toBe(0);
    for (let i = 0; i < 60; i++) ended("success");
    expect(limiter.providerHealth("only")).toBe(1);
  });

  it("every HTTP code from 100 to 599 has the effect of its class on health, events and state", () => {
    const traceOf = (status: StatusClass | number) => {
      const { limiter, ended } = one({ cooldownTriggerCount: 1, penalty403: 0.4 });
      const emitted: unknown[] = [];
      limiter.on("cooldownStarted", (event) => emitted.push(event));
      limiter.on("providerDead", (event) => emitted.push(event));
      ended("server_error");
      limiter.reviveProvider("only");
      emitted.length = 0;
      limiter.upsertProvider({ name: "only", cooldownSeconds: 7 });
      ended("cancelled");
      ended(status, { latencyMs: 9 });
      return { emitted, inspected: limiter.inspect().providers };
    };
    const byClass = new Map(Object.values(StatusClass).map((status) => [status, traceOf(status)]));
    for (const code of CODES) expect(traceOf(code), `HTTP ${code}`).toEqual(byClass.get(classOf(code)));
  });

  it("an invalid status changes nothing", () => {
    const { limiter, ended } = one();
    ended("forbidden");
    const before = JSON.stringify(limiter.inspect());
    const strange = fc.oneof(
      fc.double().filter((n) => !(Number.isInteger(n) && n >= 100 && n <= 599)),
      fc.integer({ min: -1_000, max: 99 }),
      fc.integer({ min: 600, max: 100_000 }),
      fc.string().filter((word) => !Object.values<string>(StatusClass).includes(word)),
      fc.constantFrom("Success", "RATE_LIMITED", "429", "toString", "__proto__", "constructor", null, undefined, true),
      fc.constantFrom<unknown>(429n, [], {}, ["success"], { toString: () => "success" }, Object(429)),
    );
    fc.assert(
      fc.property(strange, (status) => {
        const outcome = { status } as { status: StatusClass };
        expect(() => limiter.observe({ provider: "only", usage: { requests: 5 }, outcome })).toThrow(
          expect.objectContaining({
            code: "invalid_config",
            problems: [expect.objectContaining({ path: "outcome.status" })],
          }),
        );
        expect(JSON.stringify(limiter.inspect())).toBe(before);
      }),
    );
  });
});

describe("recovery of health", () => {
  it("half of the missing health returns in a half-life, computed on read", () => {
    const { clock, limiter, ended } = one();
    ended("forbidden");
    clock.advanceSecs(300);
    expect(limiter.providerHealth("only")).toBeCloseTo(0.75, 12);
    expect(limiter.inspect().providers[0]!.health).toBeCloseTo(0.75, 12);
    expect(limiter.select("chat").breakdown.healthScore).toBeCloseTo(0.75, 12);
    clock.advanceSecs(300);
    expect(limiter.providerHealth("only")).toBeCloseTo(0.875, 12);
  });

  it("recovery is applied before a penalty and before a boost", () => {
    const { clock, limiter, ended } = one();
    ended("forbidden");
    clock.advanceSecs(300);
    ended("server_error");
    expect(limiter.providerHealth("only")).toBeCloseTo(0.65, 12);
    clock.advanceSecs(300);
    ended("success");
    expect(limiter.providerHealth("only")).toBeCloseTo(0.845, 12);
  });

  it("the half-life can be configured, and 0 means no recovery", () => {
    const fast = one({ decayHalfLifeSeconds: 2 });
    fast.ended("forbidden");
    fast.clock.advanceSecs(4);
    expect(fast.limiter.providerHealth("only")).toBeCloseTo(0.875, 12);
    const never = one({ decayHalfLifeSeconds: 0 });
    never.ended("forbidden");
    never.clock.advanceSecs(1e9);
    expect(never.limiter.providerHealth("only")).toBe(0.5);
  });

  it("health is full after a year, and does not change while the clock goes back or returns NaN", () => {
    let now = 1_000;
    const limiter = new GrateLimiter({ clock: { now: () => now }, providers: [{ name: "only" }] });
    limiter.observe({ provider: "only", outcome: { status: "forbidden" } });
    for (now of [500, Number.NaN, -1e9, Number.POSITIVE_INFINITY, 1_000])
      expect(limiter.providerHealth("only")).toBe(0.5);
    now = 365 * 86_400_000;
    expect(limiter.providerHealth("only")).toBe(1);
  });
});

describe("latency", () => {
  it("latency is the first sample of a success, then an average in which the newest has the weight ewmaAlpha", () => {
    for (const [ewmaAlpha, expected] of [
      [undefined, 130],
      [1, 200],
      [0, 100],
      [0.5, 150],
    ] as const) {
      const { limiter, ended } = one({ ewmaAlpha });
      ended("server_error", { latencyMs: 9_999 });
      expect(limiter.inspect().providers[0]!.latencyMs).toBeNull();
      ended("success", { latencyMs: 100 });
      ended("client_error", { latencyMs: 7_777 });
      ended("success", { latencyMs: 200 });
      expect(limiter.inspect().providers[0]!.latencyMs).toBeCloseTo(expected, 12);
    }
  });

  it("failures, cancelled, unauthorized and outcomes without a latency add no latency sample", () => {
    const { limiter, ended } = one();
    ended("success", { latencyMs: 12.5 });
    for (const status of ["rate_limited", "forbidden", "timeout", "overloaded", "cancelled", "unauthorized"] as const) {
      ended(status, { latencyMs: 77 });
    }
    ended("success");
    expect(limiter.inspect().providers[0]!.latencyMs).toBe(12.5);
    limiter.reviveProvider("only");
    expect(limiter.inspect().providers[0]!.latencyMs).toBe(12.5);
  });

  it("a latency of 0 is a sample, and an invalid latency is ignored and counted", () => {
    const { limiter, ended } = one();
    ended("success", { latencyMs: 0 });
    expect(limiter.inspect().providers[0]!.latencyMs).toBe(0);
    for (const latencyMs of [Number.NaN, -1, Number.POSITIVE_INFINITY, "5" as never, null as never]) {
      ended("success", { latencyMs });
    }
    expect(limiter.inspect().providers[0]!.latencyMs).toBe(0);
    expect(limiter.metrics.invalidUsages).toBe(5);
  });
});

describe("a dead provider", () => {
  it("one request tries a dead provider again after 10 minutes, doubled by each failure up to an hour", () => {
    const { clock, limiter, ended } = one();
    const emitted: string[] = [];
    limiter.on("providerDead", () => emitted.push("dead"));
    limiter.on("providerRevived", () => emitted.push("revived"));
    ended("unauthorized");
    const state = () => limiter.inspect().providers[0]!.state;
    for (const minutes of [10, 20, 40, 60, 60]) {
      clock.advanceMs(minutes * 60_000 - 1);
      ended("unauthorized");
      expect(state()).toBe("dead");
      expect(limiter.tryAcquire("chat").granted).toBe(false);
      clock.advanceMs(1);
      expect(state()).toBe("trial");
      const lease = limiter.tryAcquire("chat");
      expect(limiter.tryAcquire("chat")).toMatchObject({ granted: false, reasons: [{ reason: "ramping" }] });
      if (lease.granted) lease.settle({ status: "unauthorized" });
      expect(state()).toBe("dead");
    }
    expect(emitted).toEqual(["dead"]);
    clock.advanceMs(3_600_000);
    // A request from before proves nothing.
    ended("success", { latencyMs: 1 });
    expect(state()).toBe("trial");
    ended("success");
    expect(state()).toBe("available");
    ended("unauthorized");
    clock.advanceMs(600_000);
    expect(state()).toBe("trial");
    expect(emitted).toEqual(["dead", "revived", "dead"]);
  });

  it("recheckDeadAfterMs can be configured, and Infinity means never", () => {
    const { clock, limiter, ended } = one({ recheckDeadAfterMs: 7e6 });
    ended("unauthorized");
    clock.advanceMs(7e6 - 1);
    expect(() => limiter.select("chat")).toThrow();
    clock.advanceMs(1);
    expect(limiter.select("chat").provider).toBe("only");
    ended("unauthorized");
    clock.advanceMs(7e6);
    expect(limiter.select("chat").provider).toBe("only");
    const never = one({ recheckDeadAfterMs: Infinity });
    never.ended("unauthorized");
    never.clock.advanceSecs(1e9);
    expect(() => never.limiter.select("chat")).toThrow();
  });

  it("a provider stays dead until it is upserted or revived, and its health does not change", () => {
    const { clock, limiter, ended } = one({ recheckDeadAfterMs: Infinity });
    ended("unauthorized", { latencyMs: 5 });
    clock.advanceSecs(1e9);
    ended("success");
    expect(limiter.inspect().providers[0]).toMatchObject({ state: "dead", health: 1, cooldownMs: 0 });
    expect(() => limiter.select("chat")).toThrow(
      expect.objectContaining({ reasons: [{ provider: "only", reason: "dead", retryAfterMs: null }] }),
    );
    limiter.updateProvider("only", { priority: 3 });
    expect(limiter.inspect().providers[0]!.state).toBe("dead");
    limiter.upsertProvider({ name: "only" });
    expect(limiter.select("chat").provider).toBe("only");
    ended("unauthorized");
    limiter.reviveProvider("only");
    expect(limiter.select("chat").provider).toBe("only");
  });

  it("death ends neither a streak nor a cooldown nor a trial", () => {
    const { clock, limiter, ended } = one({ cooldownTriggerCount: 3 });
    ended("rate_limited");
    ended("rate_limited");
    ended("unauthorized");
    limiter.upsertProvider({ name: "only" });
    ended("rate_limited");
    expect(limiter.providerInCooldown("only")).toBe(true);
    ended("unauthorized");
    limiter.upsertProvider({ name: "only" });
    expect(limiter.providerInCooldown("only")).toBe(true);
    clock.advanceSecs(60);
    expect(limiter.inspect().providers[0]!.state).toBe("trial");
  });
});
