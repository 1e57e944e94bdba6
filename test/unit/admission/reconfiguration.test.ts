// Open leases survive every change of their provider and have no effect after removeProvider.
import { describe, expect, it } from "vitest";
import type { ProviderConfig } from "../../../src/index.ts";
import { chatFixture, LimiterFixture } from "../../support/limiter-fixture.ts";
import { expectNothingCounted, tokensPerMinute } from "../../support/reconfiguration-fixture.ts";

const CONFIG: ProviderConfig = { name: "a", limits: { rpm: 10, tpm: 100, concurrency: 3 } };

describe("upsertProvider with requests in flight", () => {
  it("upsertProvider with the same quotas changes none of them", () => {
    const fixture = chatFixture(CONFIG);
    const [open, headed] = [fixture.grant({ tokens: 20 }), fixture.grant({ tokens: 30 })];
    headed.headersReceived();
    const before = fixture.state();
    fixture.limiter.upsertProvider(structuredClone(CONFIG));
    expect(fixture.state()).toBe(before);
    open.settle({ usage: { tokens: 25 } });
    headed.settle({ status: "rate_limited" });
    expect(fixture.counted("tokens")).toBe(25);
    expect(fixture.counted("requests")).toBe(2);
    expect(fixture.counted("concurrency")).toBe(0);
    fixture.clock.advanceMs(62_000);
    expectNothingCounted(fixture);
  });

  it("upsertProvider with a changed quota moves the reservations into the new quota", () => {
    const fixture = chatFixture(CONFIG);
    fixture.limiter.observe({ provider: "a", usage: { tokens: 11 }, outcome: { status: "success" } });
    const lease = fixture.grant({ tokens: 40 });
    fixture.limiter.upsertProvider({ name: "a", limits: { rpm: 20, tpm: 90, concurrency: 2 } });
    expect(fixture.counted("tokens")).toBe(40);
    expect(fixture.counted("requests")).toBe(1);
    expect(fixture.quota("concurrency")).toMatchObject({ inFlight: 1, remaining: 1, limit: 2 });
    expect(fixture.hasCapacity({ tokens: 51 })).toBe(false);
    fixture.clock.set(300);
    lease.headersReceived();
    lease.settle({ usage: { tokens: 44 } });
    expect(fixture.counted("tokens")).toBe(44);
    expect(fixture.counted("concurrency")).toBe(0);
    fixture.clock.set(60_299);
    expect(fixture.counted("tokens")).toBe(44);
    fixture.clock.set(60_300);
    expectNothingCounted(fixture);
  });

  it("a moved reservation is returned by release and by a refusal of the provider", () => {
    const fixture = chatFixture(CONFIG);
    const [released, limited] = [fixture.grant({ tokens: 40 }), fixture.grant({ tokens: 7 })];
    fixture.limiter.upsertProvider({ name: "a", limits: { rpm: 20, tpm: 90, concurrency: 2 } });
    released.release();
    expect([fixture.counted("requests"), fixture.counted("tokens"), fixture.counted("concurrency")]).toEqual([1, 7, 1]);
    limited.settle({ status: "rate_limited" });
    expect([fixture.counted("requests"), fixture.counted("tokens"), fixture.counted("concurrency")]).toEqual([1, 0, 0]);
  });

  it("a moved reservation starts to count at grant + skewCapMs", () => {
    const fixture = chatFixture(CONFIG);
    fixture.grant({ tokens: 40 });
    fixture.clock.set(400);
    fixture.limiter.upsertProvider({ name: "a", limits: { rpm: 20, tpm: 90, concurrency: 2 } });
    fixture.clock.set(60_999);
    expect([fixture.counted("requests"), fixture.counted("tokens")]).toEqual([1, 40]);
    fixture.clock.set(61_000);
    expect([fixture.counted("requests"), fixture.counted("tokens")]).toEqual([0, 0]);
  });

  it("usage is moved or left out, but never counts longer than in the old window", () => {
    const fixture = chatFixture();
    for (const at of [0, 999, 3_499]) {
      fixture.clock.set(at);
      fixture.grant();
    }
    fixture.limiter.upsertProvider({ name: "a", limits: { rpm: 9 } });
    for (const [at, most] of [
      [3_500, 3],
      [61_001, 2],
      [62_001, 1],
      [64_500, 0],
    ] as const) {
      fixture.clock.set(at);
      expect(fixture.counted("requests")).toBeLessThanOrEqual(most);
    }
  });

  it("a request that already counts in the window is not counted twice", () => {
    const fixture = chatFixture({ limits: { tpm: 100 } });
    const lease = fixture.grant({ tokens: 30 });
    lease.headersReceived();
    fixture.clock.set(599_000);
    fixture.limiter.upsertProvider({ name: "a", limits: { tpm: 120 } });
    expect(fixture.counted("tokens")).toBe(0);
    lease.settle({ usage: { tokens: 90 } });
    expect(fixture.counted("tokens")).toBe(0);
  });

  it("an occupied or abandoned concurrency place is moved, and becomes free in time", () => {
    const fixture = chatFixture({ limits: { concurrency: 5 } });
    const [open, aborted] = [fixture.grant(), fixture.grant()];
    aborted.settle({ status: "cancelled" });
    fixture.clock.set(400);
    fixture.limiter.upsertProvider({ name: "a", limits: { concurrency: 2 } });
    expect(fixture.quota("concurrency")).toMatchObject({ inFlight: 2, remaining: 0 });
    fixture.clock.set(1_000);
    expect(fixture.quota("concurrency")).toMatchObject({ inFlight: 1, remaining: 1 });
    open.settle();
    expectNothingCounted(fixture);
  });

  it("a new concurrency limit includes the requests in flight", () => {
    const fixture = chatFixture({ limits: { rpm: 10 } });
    const leases = [fixture.grant(), fixture.grant(), fixture.grant()];
    fixture.limiter.upsertProvider({ name: "a", limits: { rpm: 10, concurrency: 2 } });
    expect(fixture.quota("concurrency")).toMatchObject({ inFlight: 3, remaining: 0 });
    leases[0]!.settle();
    expect(fixture.refusal().reasons[0]!.reason).toBe("concurrency");
    leases[1]!.settle();
    expect(fixture.hasCapacity()).toBe(true);
    leases[2]!.settle();
    expect(fixture.counted("concurrency")).toBe(0);
  });

  it("many changes back and forth neither lose usage nor count it twice", () => {
    const fixture = chatFixture(CONFIG);
    const lease = fixture.grant({ tokens: 40 });
    for (let i = 0; i < 9; i++) {
      fixture.limiter.upsertProvider({ name: "a", limits: { rpm: 20 + i, tpm: 90 + i, concurrency: 5 + i } });
      expect([fixture.counted("requests"), fixture.counted("tokens"), fixture.counted("concurrency")]).toEqual([
        1, 40, 1,
      ]);
      if (i % 2 === 0) fixture.limiter.upsertProvider({ name: "a" });
    }
    fixture.limiter.upsertProvider(CONFIG);
    lease.settle();
    expect([fixture.counted("requests"), fixture.counted("tokens"), fixture.counted("concurrency")]).toEqual([
      1, 40, 0,
    ]);
    fixture.clock.advanceMs(60_000);
    expectNothingCounted(fixture);
  });

  it("an open lease still updates the health of the provider", () => {
    const fixture = chatFixture(CONFIG);
    const lease = fixture.grant();
    fixture.limiter.upsertProvider({ ...CONFIG, limits: { rpm: 3 } });
    lease.settle({ status: "rate_limited", retryAfterMs: 9_000 });
    expect(fixture.limiter.inspect().providers[0]).toMatchObject({ cooldownMs: 9_000, health: 0.75 });
  });
});

describe("updateProvider with requests in flight", () => {
  it("updateProvider keeps usage and reservations", () => {
    const fixture = chatFixture(CONFIG);
    const [open, headed] = [fixture.grant({ tokens: 20 }), fixture.grant({ tokens: 30 })];
    headed.headersReceived();
    fixture.limiter.updateProvider("a", { limits: { tpm: 60, rpm: 2, concurrency: 2 } });
    expect(fixture.quota("tokens")).toMatchObject({ limit: 60, remaining: 10 });
    expect([fixture.counted("requests"), fixture.counted("tokens"), fixture.counted("concurrency")]).toEqual([
      2, 50, 2,
    ]);
    open.release();
    headed.settle({ usage: { tokens: 33 } });
    expect([fixture.counted("requests"), fixture.counted("tokens"), fixture.counted("concurrency")]).toEqual([
      1, 33, 0,
    ]);
    fixture.clock.advanceMs(60_000);
    expectNothingCounted(fixture);
  });

  it("after a limit is lowered below the amount in flight nothing is granted until it fits", () => {
    const fixture = chatFixture({ limits: { concurrency: 3 } });
    const leases = [fixture.grant(), fixture.grant(), fixture.grant()];
    fixture.limiter.updateProvider("a", { limits: { concurrency: 1 } });
    expect(fixture.quota("concurrency")).toMatchObject({ inFlight: 3, remaining: 0 });
    leases[0]!.settle();
    leases[1]!.settle();
    expect(fixture.refusal().reasons[0]).toMatchObject({ reason: "concurrency", limit: 1 });
    leases[2]!.settle();
    expect(fixture.hasCapacity()).toBe(true);
  });

  it("a quota with a changed strategy starts empty, except for the reservations in flight", () => {
    const fixture = chatFixture({ quotas: [tokensPerMinute(100)] });
    fixture.limiter.observe({ provider: "a", usage: { tokens: 30 }, outcome: { status: "success" } });
    const lease = fixture.grant({ tokens: 20 });
    fixture.limiter.updateProvider("a", { quotas: [{ ...tokensPerMinute(100), strategy: "fixed_window" }] });
    expect(fixture.counted("tokens")).toBe(20);
    lease.release();
    expect(fixture.counted("tokens")).toBe(0);
  });

  it("a removed limit leaves nothing behind, and includes the requests in flight when it is added again", () => {
    const fixture = chatFixture(CONFIG);
    const lease = fixture.grant({ tokens: 20 });
    fixture.limiter.updateProvider("a", { limits: { concurrency: null, tpm: null } });
    expect(fixture.limiter.forecast("a")!.map(({ dimension }) => dimension)).toEqual(["requests"]);
    fixture.limiter.updateProvider("a", { limits: { concurrency: 3, tpm: 100 } });
    expect(fixture.counted("concurrency")).toBe(1);
    expect(fixture.counted("tokens")).toBe(20);
    lease.settle();
    expect(fixture.counted("concurrency")).toBe(0);
    fixture.clock.advanceMs(60_000);
    expectNothingCounted(fixture);
  });

  it("a paused provider gets no new requests and finishes those in flight", () => {
    const fixture = chatFixture(CONFIG);
    const lease = fixture.grant({ tokens: 20 });
    fixture.limiter.updateProvider("a", { paused: true });
    expect(fixture.refusal().reasons).toEqual([{ provider: "a", reason: "paused", retryAfterMs: null }]);
    lease.headersReceived();
    lease.settle({ status: "success", latencyMs: 40, usage: { tokens: 21 } });
    expect(fixture.counted("tokens")).toBe(21);
    expect(fixture.limiter.inspect().providers[0]).toMatchObject({ state: "paused", latencyMs: 40 });
    fixture.limiter.updateProvider("a", { paused: false });
    fixture.grant({ tokens: 1 });
  });
});

describe("removeProvider with requests in flight", () => {
  it.each(["settle", "release", "dispose", "expiry"])("a lease of a removed provider has no effect: %s", (ending) => {
    const fixture = new LimiterFixture({
      leaseTimeoutMs: 5_000,
      pools: { org: { limits: { rpm: 5, concurrency: 5 } } },
      providers: [
        { ...CONFIG, pools: ["org"] },
        { name: "b", pools: ["org"] },
      ],
      capabilities: { chat: ["a", "b"] },
    });
    const lease = fixture.grant({ only: ["a"], tokens: 40 });
    expect(fixture.limiter.removeProvider("a")).toBe(true);
    expect(fixture.refusal({ only: ["a"] }).reasons[0]!.reason).toBe("not_registered");
    // The pool still exists, and the request in flight still counts in it.
    expect(fixture.counted("requests", "b")).toBe(1);
    expect(fixture.counted("concurrency", "b")).toBe(1);
    lease.headersReceived();
    lease.report({ tokens: 3 });
    if (ending === "settle") lease.settle({ status: "unauthorized" });
    if (ending === "release") lease.release();
    if (ending === "dispose") lease[Symbol.dispose]();
    fixture.clock.set(6_000);
    expect(fixture.limiter.inspect().providers.map(({ name, health, state }) => [name, health, state])).toEqual([
      ["b", 1, "available"],
    ]);
    expect(fixture.counted("concurrency", "b")).toBe(0);
    fixture.clock.set(70_000);
    expectNothingCounted(fixture);
    expect(lease.settled).toBe(true);
  });

  it("the lease of a removed provider updates no health and emits no cooldown and no death", () => {
    const fixture = chatFixture(CONFIG);
    const leases = [fixture.grant(), fixture.grant()];
    fixture.limiter.removeProvider("a");
    const recorded = fixture.recordEvents();
    leases[0]!.settle({ status: "rate_limited", retryAfterMs: 5_000 });
    leases[1]!.settle({ status: "unauthorized" });
    expect(recorded.map(({ event }) => event)).toEqual(["leaseSettled", "leaseSettled"]);
    expect(fixture.limiter.metrics.cooldownsTriggered).toBe(0);
  });

  it("a new provider of the same name is not affected by leases of the removed one", () => {
    const fixture = chatFixture(CONFIG);
    const [old, older] = [fixture.grant({ tokens: 40 }), fixture.grant({ tokens: 10 })];
    older.headersReceived();
    fixture.limiter.removeProvider("a");
    fixture.limiter.upsertProvider(CONFIG);
    expect([fixture.counted("requests"), fixture.counted("tokens"), fixture.counted("concurrency")]).toEqual([0, 0, 0]);
    const mine = fixture.grant({ tokens: 5 });
    old.settle({ status: "unauthorized" });
    older.settle({ usage: { tokens: 99 } });
    expect([fixture.counted("requests"), fixture.counted("tokens"), fixture.counted("concurrency")]).toEqual([1, 5, 1]);
    expect(fixture.limiter.inspect().providers[0]).toMatchObject({ state: "available", health: 1 });
    mine.settle();
    fixture.clock.advanceMs(62_000);
    expectNothingCounted(fixture);
  });
});
