// Open leases survive every change of the configuration and have no effect after removeProvider.
import { describe, expect, it } from "vitest";
import type { ProviderConfig } from "../../../src/index.ts";
import { Desk, desk } from "../../support/limiter-fixture.ts";

const minute = (limit: number) => ({ dimension: "tokens" as const, limit, window: "minute" as const });
const CONFIG: ProviderConfig = { name: "a", limits: { rpm: 10, tpm: 100, concurrency: 3 } };

function expectQuiet(one: Desk): void {
  for (const { inFlight, quotas } of one.limiter.inspect().providers) {
    expect(inFlight).toBe(0);
    for (const quota of quotas) expect(quota, JSON.stringify(quota)).toMatchObject({ used: 0, inFlight: 0 });
  }
  expect(one.limiter.inspect()).toMatchObject({ oldestLeaseMs: null, waiting: {} });
}

describe("upsertProvider with requests in flight", () => {
  it("upsertProvider with the same quotas changes none of them", () => {
    const one = desk(CONFIG);
    const [open, headed] = [one.take({ tokens: 20 }), one.take({ tokens: 30 })];
    headed.headersReceived();
    const before = one.state();
    one.limiter.upsertProvider(structuredClone(CONFIG));
    expect(one.state()).toBe(before);
    open.settle({ usage: { tokens: 25 } });
    headed.settle({ status: "rate_limited" });
    expect(one.counted("tokens")).toBe(25);
    expect(one.counted("requests")).toBe(2);
    expect(one.counted("concurrency")).toBe(0);
    one.clock.advanceMs(62_000);
    expectQuiet(one);
  });

  it("upsertProvider with a changed quota moves the reservations into the new quota", () => {
    const one = desk(CONFIG);
    one.limiter.observe({ provider: "a", usage: { tokens: 11 }, outcome: { status: "success" } });
    const lease = one.take({ tokens: 40 });
    one.limiter.upsertProvider({ name: "a", limits: { rpm: 20, tpm: 90, concurrency: 2 } });
    expect(one.counted("tokens")).toBe(40);
    expect(one.counted("requests")).toBe(1);
    expect(one.quota("concurrency")).toMatchObject({ inFlight: 1, remaining: 1, limit: 2 });
    expect(one.hasRoom({ tokens: 51 })).toBe(false);
    one.clock.set(300);
    lease.headersReceived();
    lease.settle({ usage: { tokens: 44 } });
    expect(one.counted("tokens")).toBe(44);
    expect(one.counted("concurrency")).toBe(0);
    one.clock.set(60_299);
    expect(one.counted("tokens")).toBe(44);
    one.clock.set(60_300);
    expectQuiet(one);
  });

  it("a moved reservation is returned by release and by a refusal of the provider", () => {
    const one = desk(CONFIG);
    const [released, limited] = [one.take({ tokens: 40 }), one.take({ tokens: 7 })];
    one.limiter.upsertProvider({ name: "a", limits: { rpm: 20, tpm: 90, concurrency: 2 } });
    released.release();
    expect([one.counted("requests"), one.counted("tokens"), one.counted("concurrency")]).toEqual([1, 7, 1]);
    limited.settle({ status: "rate_limited" });
    expect([one.counted("requests"), one.counted("tokens"), one.counted("concurrency")]).toEqual([1, 0, 0]);
  });

  it("a moved reservation starts to count at grant + skewCapMs", () => {
    const one = desk(CONFIG);
    one.take({ tokens: 40 });
    one.clock.set(400);
    one.limiter.upsertProvider({ name: "a", limits: { rpm: 20, tpm: 90, concurrency: 2 } });
    one.clock.set(60_999);
    expect([one.counted("requests"), one.counted("tokens")]).toEqual([1, 40]);
    one.clock.set(61_000);
    expect([one.counted("requests"), one.counted("tokens")]).toEqual([0, 0]);
  });

  it("usage is moved or left out, but never counts longer than in the old window", () => {
    const one = desk();
    for (const at of [0, 999, 3_499]) {
      one.clock.set(at);
      one.take();
    }
    one.limiter.upsertProvider({ name: "a", limits: { rpm: 9 } });
    for (const [at, most] of [
      [3_500, 3],
      [61_001, 2],
      [62_001, 1],
      [64_500, 0],
    ] as const) {
      one.clock.set(at);
      expect(one.counted("requests")).toBeLessThanOrEqual(most);
    }
  });

  it("a request that already counts in the window is not counted twice", () => {
    const one = desk({ limits: { tpm: 100 } });
    const lease = one.take({ tokens: 30 });
    lease.headersReceived();
    one.clock.set(599_000);
    one.limiter.upsertProvider({ name: "a", limits: { tpm: 120 } });
    expect(one.counted("tokens")).toBe(0);
    lease.settle({ usage: { tokens: 90 } });
    expect(one.counted("tokens")).toBe(0);
  });

  it("an occupied or abandoned concurrency place is moved, and becomes free in time", () => {
    const one = desk({ limits: { concurrency: 5 } });
    const [open, aborted] = [one.take(), one.take()];
    aborted.settle({ status: "cancelled" });
    one.clock.set(400);
    one.limiter.upsertProvider({ name: "a", limits: { concurrency: 2 } });
    expect(one.quota("concurrency")).toMatchObject({ inFlight: 2, remaining: 0 });
    one.clock.set(1_000);
    expect(one.quota("concurrency")).toMatchObject({ inFlight: 1, remaining: 1 });
    open.settle();
    expectQuiet(one);
  });

  it("a new concurrency limit includes the requests in flight", () => {
    const one = desk({ limits: { rpm: 10 } });
    const leases = [one.take(), one.take(), one.take()];
    one.limiter.upsertProvider({ name: "a", limits: { rpm: 10, concurrency: 2 } });
    expect(one.quota("concurrency")).toMatchObject({ inFlight: 3, remaining: 0 });
    leases[0]!.settle();
    expect(one.refusal().reasons[0]!.reason).toBe("concurrency");
    leases[1]!.settle();
    expect(one.hasRoom()).toBe(true);
    leases[2]!.settle();
    expect(one.counted("concurrency")).toBe(0);
  });

  it("many changes back and forth neither lose usage nor count it twice", () => {
    const one = desk(CONFIG);
    const lease = one.take({ tokens: 40 });
    for (let i = 0; i < 9; i++) {
      one.limiter.upsertProvider({ name: "a", limits: { rpm: 20 + i, tpm: 90 + i, concurrency: 5 + i } });
      expect([one.counted("requests"), one.counted("tokens"), one.counted("concurrency")]).toEqual([1, 40, 1]);
      if (i % 2 === 0) one.limiter.upsertProvider({ name: "a" });
    }
    one.limiter.upsertProvider(CONFIG);
    lease.settle();
    expect([one.counted("requests"), one.counted("tokens"), one.counted("concurrency")]).toEqual([1, 40, 0]);
    one.clock.advanceMs(60_000);
    expectQuiet(one);
  });

  it("an open lease still updates the health of the provider", () => {
    const one = desk(CONFIG);
    const lease = one.take();
    one.limiter.upsertProvider({ ...CONFIG, limits: { rpm: 3 } });
    lease.settle({ status: "rate_limited", retryAfterMs: 9_000 });
    expect(one.limiter.inspect().providers[0]).toMatchObject({ cooldownMs: 9_000, health: 0.75 });
  });
});

describe("updateProvider with requests in flight", () => {
  it("updateProvider keeps usage and reservations", () => {
    const one = desk(CONFIG);
    const [open, headed] = [one.take({ tokens: 20 }), one.take({ tokens: 30 })];
    headed.headersReceived();
    one.limiter.updateProvider("a", { limits: { tpm: 60, rpm: 2, concurrency: 2 } });
    expect(one.quota("tokens")).toMatchObject({ limit: 60, remaining: 10 });
    expect([one.counted("requests"), one.counted("tokens"), one.counted("concurrency")]).toEqual([2, 50, 2]);
    open.release();
    headed.settle({ usage: { tokens: 33 } });
    expect([one.counted("requests"), one.counted("tokens"), one.counted("concurrency")]).toEqual([1, 33, 0]);
    one.clock.advanceMs(60_000);
    expectQuiet(one);
  });

  it("after a limit is lowered below the amount in flight nothing is granted until it fits", () => {
    const one = desk({ limits: { concurrency: 3 } });
    const leases = [one.take(), one.take(), one.take()];
    one.limiter.updateProvider("a", { limits: { concurrency: 1 } });
    expect(one.quota("concurrency")).toMatchObject({ inFlight: 3, remaining: 0 });
    leases[0]!.settle();
    leases[1]!.settle();
    expect(one.refusal().reasons[0]).toMatchObject({ reason: "concurrency", limit: 1 });
    leases[2]!.settle();
    expect(one.hasRoom()).toBe(true);
  });

  it("a quota with a changed strategy starts empty, except for the reservations in flight", () => {
    const one = desk({ quotas: [minute(100)] });
    one.limiter.observe({ provider: "a", usage: { tokens: 30 }, outcome: { status: "success" } });
    const lease = one.take({ tokens: 20 });
    one.limiter.updateProvider("a", { quotas: [{ ...minute(100), strategy: "fixed_window" }] });
    expect(one.counted("tokens")).toBe(20);
    lease.release();
    expect(one.counted("tokens")).toBe(0);
  });

  it("a removed limit leaves nothing behind, and includes the requests in flight when it is added again", () => {
    const one = desk(CONFIG);
    const lease = one.take({ tokens: 20 });
    one.limiter.updateProvider("a", { limits: { concurrency: null, tpm: null } });
    expect(one.limiter.forecast("a")!.map(({ dimension }) => dimension)).toEqual(["requests"]);
    one.limiter.updateProvider("a", { limits: { concurrency: 3, tpm: 100 } });
    expect(one.counted("concurrency")).toBe(1);
    expect(one.counted("tokens")).toBe(20);
    lease.settle();
    expect(one.counted("concurrency")).toBe(0);
    one.clock.advanceMs(60_000);
    expectQuiet(one);
  });

  it("a paused provider gets no new requests and finishes those in flight", () => {
    const one = desk(CONFIG);
    const lease = one.take({ tokens: 20 });
    one.limiter.updateProvider("a", { paused: true });
    expect(one.refusal().reasons).toEqual([{ provider: "a", reason: "paused", retryAfterMs: null }]);
    lease.headersReceived();
    lease.settle({ status: "success", latencyMs: 40, usage: { tokens: 21 } });
    expect(one.counted("tokens")).toBe(21);
    expect(one.limiter.inspect().providers[0]).toMatchObject({ state: "paused", latencyMs: 40 });
    one.limiter.updateProvider("a", { paused: false });
    one.take({ tokens: 1 });
  });
});

describe("removeProvider with requests in flight", () => {
  it.each(["settle", "release", "dispose", "expiry"])("a lease of a removed provider has no effect: %s", (ending) => {
    const one = new Desk({
      leaseTimeoutMs: 5_000,
      pools: { org: { limits: { rpm: 5, concurrency: 5 } } },
      providers: [
        { ...CONFIG, pools: ["org"] },
        { name: "b", pools: ["org"] },
      ],
      capabilities: { chat: ["a", "b"] },
    });
    const lease = one.take({ only: ["a"], tokens: 40 });
    expect(one.limiter.removeProvider("a")).toBe(true);
    expect(one.refusal({ only: ["a"] }).reasons[0]!.reason).toBe("not_registered");
    // The pool still exists, and the request in flight still counts in it.
    expect(one.counted("requests", "b")).toBe(1);
    expect(one.counted("concurrency", "b")).toBe(1);
    lease.headersReceived();
    lease.report({ tokens: 3 });
    if (ending === "settle") lease.settle({ status: "unauthorized" });
    if (ending === "release") lease.release();
    if (ending === "dispose") lease[Symbol.dispose]();
    one.clock.set(6_000);
    expect(one.limiter.inspect().providers.map(({ name, health, state }) => [name, health, state])).toEqual([
      ["b", 1, "available"],
    ]);
    expect(one.counted("concurrency", "b")).toBe(0);
    one.clock.set(70_000);
    expectQuiet(one);
    expect(lease.settled).toBe(true);
  });

  it("the lease of a removed provider updates no health and emits no cooldown and no death", () => {
    const one = desk(CONFIG);
    const leases = [one.take(), one.take()];
    one.limiter.removeProvider("a");
    const heard = one.listen();
    leases[0]!.settle({ status: "rate_limited", retryAfterMs: 5_000 });
    leases[1]!.settle({ status: "unauthorized" });
    expect(heard.map(({ event }) => event)).toEqual(["leaseSettled", "leaseSettled"]);
    expect(one.limiter.metrics.cooldownsTriggered).toBe(0);
  });

  it("a new provider of the same name is not affected by leases of the removed one", () => {
    const one = desk(CONFIG);
    const [old, older] = [one.take({ tokens: 40 }), one.take({ tokens: 10 })];
    older.headersReceived();
    one.limiter.removeProvider("a");
    one.limiter.upsertProvider(CONFIG);
    expect([one.counted("requests"), one.counted("tokens"), one.counted("concurrency")]).toEqual([0, 0, 0]);
    const mine = one.take({ tokens: 5 });
    old.settle({ status: "unauthorized" });
    older.settle({ usage: { tokens: 99 } });
    expect([one.counted("requests"), one.counted("tokens"), one.counted("concurrency")]).toEqual([1, 5, 1]);
    expect(one.limiter.inspect().providers[0]).toMatchObject({ state: "available", health: 1 });
    mine.settle();
    one.clock.advanceMs(62_000);
    expectQuiet(one);
  });
});

describe("pools with requests in flight", () => {
  const shared = () =>
    new Desk({
      pools: { org: { limits: { rpm: 3, tpm: 100, concurrency: 2 } } },
      providers: [
        { name: "a", pools: ["org"], limits: { rpm: 2 } },
        { name: "b", pools: ["org"] },
      ],
      capabilities: { chat: ["a", "b"], other: ["b"] },
    });

  it("a pool counts the requests of both providers, in flight and settled", () => {
    const one = shared();
    const [mine, other] = [one.take({ only: ["a"], tokens: 60 }), one.take({ only: ["b"], tokens: 30 })];
    expect(one.quota("tokens", "b")).toMatchObject({ pool: "org", remaining: 10 });
    expect(one.quota("concurrency", "a")).toMatchObject({ pool: "org", inFlight: 2, remaining: 0 });
    expect(one.refusal({ tokens: 1 }).reasons).toEqual([
      expect.objectContaining({ provider: "a", reason: "concurrency", pool: "org" }),
      expect.objectContaining({ provider: "b", reason: "concurrency", pool: "org" }),
    ]);
    mine.settle({ usage: { tokens: 65 } });
    expect(one.counted("tokens", "b")).toBe(95);
    other.release();
    expect(one.counted("tokens", "a")).toBe(65);
    expect(one.counted("requests", "b")).toBe(1);
  });

  it("upsertPool keeps usage and reservations and applies the new limits", () => {
    const one = shared();
    const lease = one.take({ only: ["a"], tokens: 60 });
    one.limiter.observe({ provider: "b", usage: { tokens: 10 }, outcome: { status: "success" } });
    one.limiter.upsertPool({ name: "org", limits: { rpm: 9, tpm: 80, concurrency: 1 } });
    expect(one.quota("tokens", "b")).toMatchObject({ limit: 80, remaining: 10 });
    expect(one.counted("concurrency", "b")).toBe(1);
    expect(one.counted("requests", "b")).toBe(2);
    lease.release();
    expect(one.counted("tokens", "b")).toBe(10);
    expect(one.counted("concurrency", "b")).toBe(0);
    one.clock.advanceMs(60_000);
    expectQuiet(one);
  });

  it("a pool that a provider leaves or joins during a request has nothing in flight at the end", () => {
    const one = new Desk({
      pools: { org: { limits: { concurrency: 5, tpm: 100 } }, team: { limits: { concurrency: 5, tpm: 100 } } },
      providers: [
        { name: "a", pools: ["org"] },
        { name: "org", pools: ["org"] },
        { name: "team", pools: ["team"] },
      ],
      capabilities: { chat: ["a"] },
    });
    const lease = one.take({ tokens: 50 });
    one.limiter.updateProvider("a", { pools: ["team"] });
    expect(one.counted("tokens", "org")).toBe(50);
    expect(one.counted("concurrency", "org")).toBe(1);
    lease.settle();
    for (const provider of ["a", "org", "team"]) expect(one.counted("concurrency", provider)).toBe(0);
    expect(one.counted("tokens", "org")).toBe(50);
    one.clock.advanceMs(62_000);
    expectQuiet(one);
  });

  it("a shared place that becomes free is available to both providers", () => {
    const one = shared();
    const leases = [one.take({ only: ["a"] }), one.take({ only: ["b"] })];
    expect(one.hasRoom({}, "other")).toBe(false);
    leases[0]!.settle();
    expect(one.hasRoom({}, "other")).toBe(true);
  });
});

describe("a quota that takes over the usage of another", () => {
  const rpm = (limit: number, more = {}) => ({
    dimension: "requests" as const,
    limit,
    window: "minute" as const,
    ...more,
  });
  const counts = (one: Desk) => one.limiter.forecast("a")!.map(({ used, inFlight }) => [used, inFlight]);

  it.each([true, false])(
    "a quota that takes over usage counts an open request once (response headers received: %s)",
    (isAnswered) => {
      const one = desk({ limits: { rpm: 10 } });
      one.take().settle();
      const lease = one.take();
      if (isAnswered) lease.headersReceived();
      one.limiter.updateProvider("a", { quotas: [rpm(10), rpm(8)] });
      expect(counts(one)).toEqual(Array(2).fill(isAnswered ? [2, 0] : [1, 1]));
      lease.settle();
      expect(counts(one)).toEqual(Array(2).fill([2, 0]));
      one.clock.advanceMs(61_001);
      expectQuiet(one);
    },
  );

  it.each([true, false])("usage is also taken over if countsAtEnd changes (%s)", (countsAtEnd) => {
    const one = desk({ quotas: [rpm(10, { countsAtEnd: !countsAtEnd })] });
    const lease = one.take();
    lease.headersReceived();
    one.limiter.updateProvider("a", { quotas: [rpm(10, { countsAtEnd })] });
    expect(counts(one)).toEqual([countsAtEnd ? [0, 1] : [1, 0]]);
    lease.settle();
    expect(counts(one)).toEqual([[1, 0]]);
    one.clock.advanceMs(61_001);
    expectQuiet(one);
  });

  it("a request that has just timed out still counts, and its place is still in use", () => {
    const quotas = (countsAtEnd: boolean) => [{ ...minute(100), countsAtEnd }];
    const one = desk({ quotas: quotas(true) });
    const lease = one.take({ tokens: 30 });
    lease.headersReceived();
    one.clock.advanceMs(200);
    lease.settle({ status: "timeout" });
    expect(one.counted("tokens")).toBe(30);
    one.limiter.updateProvider("a", { quotas: quotas(false) });
    expect(one.counted("tokens")).toBe(30);
    one.clock.advanceMs(61_001);
    expectQuiet(one);
  });

  it("usage is taken over only once: a provider that joins the pool later adds its own usage", () => {
    const one = new Desk({
      pools: { org: { quotas: [rpm(10)] } },
      providers: [{ name: "a", pools: ["org"] }, { name: "b" }],
      capabilities: { chat: ["a"], mail: ["b"] },
    });
    const [lease, later] = [one.take(), one.take({}, "mail")];
    lease.headersReceived();
    later.headersReceived();
    one.limiter.upsertPool({ name: "org", quotas: [rpm(10), rpm(8)] });
    one.limiter.updateProvider("b", { pools: ["org"] });
    expect(counts(one)).toEqual([
      [2, 0],
      [2, 0],
    ]);
  });
});

describe("a pool that is declared again", () => {
  it.each(["still draws from it", "has left it", "was removed"])(
    "upsertPool keeps the requests of a provider that %s",
    (what) => {
      const one = new Desk({
        pools: { org: { limits: { rpm: 10 } } },
        providers: [
          { name: "a", pools: ["org"] },
          { name: "b", pools: ["org"] },
        ],
        capabilities: { chat: ["a"] },
      });
      const leases = [one.take(), one.take(), one.take()];
      if (what === "has left it") one.limiter.updateProvider("a", { pools: [] });
      if (what === "was removed") one.limiter.removeProvider("a");
      one.limiter.upsertPool({
        name: "org",
        quotas: [{ dimension: "requests", limit: 10, window: "minute", strategy: "fixed_window" }],
      });
      expect(one.quota("requests", "b")).toMatchObject({ inFlight: 3, remaining: 7 });
      for (const lease of leases) lease.settle();
      expect(one.quota("requests", "b")).toMatchObject({ used: 3, inFlight: 0, remaining: 7 });
    },
  );
});
