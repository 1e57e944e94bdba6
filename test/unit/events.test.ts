// The events: their data, the moment at which they are emitted, and how often.
import { describe, expect, it } from "vitest";
import {
  GrateLimiter,
  type GrateLimiterOptions,
  type LimiterEvents,
  MockClock,
  type StatusClass,
} from "../../src/index.ts";
import { withLists } from "../support/with-lists.ts";

const EVENTS = ["cooldownStarted", "cooldownEnded", "providerDead", "providerRevived", "limitReached"] as const;

function listening(more: Partial<GrateLimiterOptions> = {}) {
  const clock = new MockClock();
  const providers = [{ name: "a", cooldownSeconds: 30 }, { name: "b" }];
  const limiter = withLists(new GrateLimiter({ clock, providers, ...more }), { chat: ["a", "b"], other: ["b"] });
  const recorded: [keyof LimiterEvents, unknown][] = [];
  for (const event of EVENTS) limiter.on(event, (emitted) => recorded.push([event, emitted]));
  const ended = (status: StatusClass, retryAfterMs?: number, provider = "a") =>
    limiter.observe({ provider, outcome: { status, retryAfterMs } });
  const emitted = () => recorded.splice(0);
  return { clock, limiter, ended, emitted };
}

describe("cooldownStarted", () => {
  it("cooldownStarted carries the provider, the status and the length", () => {
    const { ended, emitted, limiter } = listening();
    ended("forbidden", 1_500.5);
    expect(emitted()).toEqual([["cooldownStarted", { provider: "a", status: "forbidden", durationMs: 1_500.5 }]]);
    expect(limiter.metrics.cooldownsTriggered).toBe(1);
  });

  it("extending a cooldown emits cooldownStarted again with the remaining time, but is counted once", () => {
    const { clock, ended, emitted, limiter } = listening();
    ended("rate_limited", 10_000);
    clock.advanceMs(4_000);
    ended("overloaded", 6_000);
    ended("server_error");
    ended("timeout", 9_000);
    expect(emitted()).toEqual([
      ["cooldownStarted", { provider: "a", status: "rate_limited", durationMs: 10_000 }],
      ["cooldownStarted", { provider: "a", status: "timeout", durationMs: 9_000 }],
    ]);
    expect(limiter.metrics.cooldownsTriggered).toBe(1);
    clock.advanceMs(9_000);
    ended("timeout");
    expect(limiter.metrics.cooldownsTriggered).toBe(2);
  });

  it("cooldownStarted carries the status class of a numeric code", () => {
    const { limiter, emitted } = listening();
    limiter.observe({ provider: "a", outcome: { status: 529, retryAfterMs: 5 } });
    expect(emitted()).toEqual([["cooldownStarted", { provider: "a", status: "overloaded", durationMs: 5 }]]);
  });
});

describe("cooldownEnded", () => {
  const READS: [string, (limiter: GrateLimiter) => unknown][] = [
    ["select", (limiter) => limiter.select("chat")],
    ["observe", (limiter) => limiter.observe({ provider: "a", outcome: { status: "cancelled" } })],
    ["providerHealth", (limiter) => limiter.providerHealth("a")],
    ["providerInCooldown", (limiter) => limiter.providerInCooldown("a")],
    ["providerQuotaRemaining", (limiter) => limiter.providerQuotaRemaining("a", "requests")],
    ["remainingQuota", (limiter) => limiter.remainingQuota("a", "requests")],
    ["forecast", (limiter) => limiter.forecast("a")],
    ["inspect", (limiter) => limiter.inspect()],
    ["reviveProvider", (limiter) => limiter.reviveProvider("a")],
  ];

  it.each(READS)("%s emits cooldownEnded once, at the end and not before", (name, read) => {
    const { clock, limiter, ended, emitted } = listening();
    ended("rate_limited", 10_000);
    emitted();
    clock.advanceMs(9_999.5);
    if (name !== "reviveProvider") read(limiter);
    expect(emitted()).toEqual([]);
    clock.advanceMs(0.5);
    expect(emitted()).toEqual([]);
    for (let i = 0; i < 3; i++) for (const [, other] of [[name, read] as const, ...READS]) other(limiter);
    expect(emitted()).toEqual([["cooldownEnded", { provider: "a" }]]);
  });

  it("calls that do not read the provider do not emit its cooldownEnded", () => {
    const { clock, limiter, ended, emitted } = listening();
    ended("rate_limited", 10);
    emitted();
    clock.advanceMs(1_000);
    limiter.select("other");
    limiter.providerHealth("b");
    limiter.observe({ provider: "b", outcome: { status: "success" } });
    expect(limiter.metrics.selects).toBe(1);
    expect(emitted()).toEqual([]);
    limiter.select("chat");
    expect(emitted()).toEqual([["cooldownEnded", { provider: "a" }]]);
  });

  it("if one call emits both, cooldownEnded comes before the next cooldownStarted", () => {
    const { clock, ended, emitted } = listening();
    ended("rate_limited", 10);
    clock.advanceMs(10);
    emitted();
    ended("rate_limited", 20);
    expect(emitted().map(([event]) => event)).toEqual(["cooldownEnded", "cooldownStarted"]);
  });

  it("reviving a provider during a cooldown emits its cooldownEnded, once", () => {
    const { clock, limiter, ended, emitted } = listening();
    ended("rate_limited", 10_000);
    emitted();
    limiter.reviveProvider("a");
    expect(emitted()).toEqual([["cooldownEnded", { provider: "a" }]]);
    clock.advanceMs(20_000);
    limiter.inspect();
    limiter.reviveProvider("a");
    expect(emitted()).toEqual([]);
  });

  it("cooldownEnded of an extended cooldown is emitted at the later end", () => {
    const { clock, limiter, ended, emitted } = listening();
    ended("rate_limited", 10_000);
    ended("rate_limited", 30_000);
    emitted();
    clock.advanceMs(10_000);
    limiter.inspect();
    expect(emitted()).toEqual([]);
    clock.advanceMs(20_000);
    limiter.inspect();
    expect(emitted()).toEqual([["cooldownEnded", { provider: "a" }]]);
  });
});

describe("providerDead and providerRevived", () => {
  it("providerDead and providerRevived are emitted on a change only", () => {
    const { limiter, ended, emitted } = listening();
    limiter.upsertProvider({ name: "a" });
    limiter.reviveProvider("a");
    expect(emitted()).toEqual([]);
    ended("unauthorized");
    ended("unauthorized");
    ended("success");
    expect(emitted()).toEqual([["providerDead", { provider: "a" }]]);
    limiter.reviveProvider("a");
    limiter.reviveProvider("a");
    expect(emitted()).toEqual([["providerRevived", { provider: "a" }]]);
    ended("unauthorized");
    limiter.updateProvider("a", { priority: 5 });
    expect(emitted()).toEqual([["providerDead", { provider: "a" }]]);
    limiter.upsertProvider({ name: "a" });
    expect(emitted()).toEqual([["providerRevived", { provider: "a" }]]);
  });
});

describe("limitReached", () => {
  const limits = { rpm: 3, tpm: 100 };

  it("limitReached is emitted when the remaining amount of a quota becomes 0, and not while it stays 0", () => {
    const { clock, limiter, emitted } = listening({ providers: [{ name: "a", limits }] });
    const use = (requests: number, tokens = 0) =>
      limiter.observe({ provider: "a", usage: { requests, tokens }, outcome: { status: "success" } });
    use(2);
    expect(emitted()).toEqual([]);
    use(1);
    expect(emitted()).toEqual([
      ["limitReached", { provider: "a", dimension: "requests", window: "minute", pool: null }],
    ]);
    use(5, 99);
    use(0, 0);
    expect(emitted()).toEqual([]);
    use(0, 50);
    expect(emitted()).toMatchObject([["limitReached", { dimension: "tokens" }]]);
    clock.advanceSecs(60);
    use(9, 900);
    expect(emitted()).toMatchObject([
      ["limitReached", { dimension: "requests" }],
      ["limitReached", { dimension: "tokens" }],
    ]);
  });

  it("limitReached of a pool carries the provider that used the last capacity", () => {
    const { limiter, emitted } = listening({
      pools: { org: { quotas: [{ dimension: "requests", limit: 2, window: { seconds: 5 } }] } },
      providers: ["a", "b"].map((name) => ({ name, pools: ["org"] })),
    });
    limiter.observe({ provider: "a", outcome: { status: "success" } });
    limiter.observe({ provider: "b", outcome: { status: "success" } });
    limiter.observe({ provider: "a", outcome: { status: "success" } });
    expect(emitted()).toEqual([
      ["limitReached", { provider: "b", dimension: "requests", window: { seconds: 5 }, pool: "org" }],
    ]);
  });

  it("limitReached is not emitted for a limit of 0, nor when a limit is lowered", () => {
    const { limiter, emitted } = listening({ providers: [{ name: "a", limits: { rpm: 0, tpm: 10 } }] });
    limiter.observe({ provider: "a", usage: { tokens: 6 }, outcome: { status: "success" } });
    limiter.updateProvider("a", { limits: { tpm: 6 } });
    expect(emitted()).toEqual([]);
  });
});

describe("listeners", () => {
  it("listeners run after the state of the call is complete", () => {
    const { limiter, ended } = listening({ providers: [{ name: "a", limits: { rpm: 1 } }] });
    const seen: unknown[] = [];
    limiter.on("limitReached", () => seen.push(limiter.providerInCooldown("a"), limiter.metrics.cooldownsTriggered));
    ended("rate_limited", 5_000);
    expect(seen).toEqual([true, 1]);
  });

  it("a listener that throws disturbs neither the call nor other listeners", () => {
    const { limiter, ended, emitted } = listening();
    limiter.on("cooldownStarted", () => {
      throw new Error("not my day");
    });
    const after: string[] = [];
    limiter.on("cooldownStarted", ({ provider }) => after.push(provider));
    expect(() => ended("rate_limited", 5)).not.toThrow();
    expect(after).toEqual(["a"]);
    expect(emitted()).toHaveLength(1);
  });

  it("listeners are called in the order of registration until they are removed", () => {
    const { limiter, ended } = listening();
    const order: number[] = [];
    const offs = [1, 2, 3].map((n) => limiter.on("cooldownStarted", () => order.push(n)));
    ended("rate_limited", 5);
    offs[1]!();
    offs[1]!();
    ended("rate_limited", 50);
    expect(order).toEqual([1, 2, 3, 1, 3]);
  });

  it("a listener can call the limiter, and every listener receives the resulting events later", () => {
    const { limiter, ended, emitted } = listening();
    limiter.on("cooldownStarted", ({ provider }) => {
      if (provider === "b") return;
      limiter.observe({ provider: "b", outcome: { status: "timeout", retryAfterMs: 7 } });
    });
    const late: string[] = [];
    limiter.on("cooldownStarted", ({ provider }) => late.push(provider));
    ended("rate_limited", 5);
    expect(emitted()).toMatchObject([
      ["cooldownStarted", { provider: "a" }],
      ["cooldownStarted", { provider: "b" }],
    ]);
    expect(late).toEqual(["a", "b"]);
  });

  it("listeners can be added and removed during an event", () => {
    const { limiter, ended } = listening();
    const recorded: string[] = [];
    const off = limiter.on("cooldownStarted", () => {
      recorded.push("once");
      off();
      limiter.on("cooldownStarted", () => recorded.push("late"));
    });
    limiter.on("cooldownStarted", () => recorded.push("steady"));
    ended("rate_limited", 5);
    expect(recorded.filter((name) => name !== "late")).toEqual(["once", "steady"]);
    recorded.length = 0;
    ended("rate_limited", 50);
    expect(recorded).toEqual(["steady", "late"]);
  });

  it("the data of an event never change later", () => {
    const { clock, ended, emitted } = listening();
    ended("rate_limited", 5_000);
    const [[, event]] = emitted() as [[string, object]];
    const then = JSON.stringify(event);
    clock.advanceMs(1_000);
    ended("rate_limited", 50_000);
    expect(JSON.stringify(event)).toBe(then);
  });
});

describe("close", () => {
  it("close ends select; observe, queries, configuration and events continue to work", () => {
    const { clock, limiter, ended, emitted } = listening();
    limiter.close();
    limiter.close();
    expect(() => limiter.select("chat")).toThrow(expect.objectContaining({ code: "closed" }));
    expect(() => limiter.select("unheard of")).toThrow(expect.objectContaining({ code: "closed" }));
    ended("rate_limited", 5);
    clock.advanceMs(5);
    expect(limiter.providerInCooldown("a")).toBe(false);
    limiter.upsertProvider({ name: "a", limits: { rpm: 7 } });
    limiter.updateProvider("a", { limits: { rpm: 8 } });
    limiter.upsertPool({ name: "org" });
    limiter.upsertCapability({ name: "new", providers: ["a"] });
    limiter.reviveProvider("a");
    expect(limiter.remainingQuota("a", "requests")).toBe(8);
    expect(limiter.forecast("a")).toHaveLength(1);
    expect(limiter.inspect().providers).toHaveLength(2);
    expect(limiter.metrics).toMatchObject({ selects: 0, observations: 1 });
    expect(limiter.removeProvider("a")).toBe(true);
    expect(emitted().map(([event]) => event)).toEqual(["cooldownStarted", "cooldownEnded"]);
  });
});
