// Open leases survive every change of a pool, and usage that a quota takes over counts once.
import { describe, expect, it } from "vitest";
import { chatFixture, LimiterFixture } from "../../support/limiter-fixture.ts";
import { expectNothingCounted, tokensPerMinute } from "../../support/reconfiguration-fixture.ts";

describe("pools with requests in flight", () => {
  const shared = () =>
    new LimiterFixture({
      pools: { org: { limits: { rpm: 3, tpm: 100, concurrency: 2 } } },
      providers: [
        { name: "a", pools: ["org"], limits: { rpm: 2 } },
        { name: "b", pools: ["org"] },
      ],
      capabilities: { chat: ["a", "b"], other: ["b"] },
    });

  it("a pool counts the requests of both providers, in flight and settled", () => {
    const fixture = shared();
    const [mine, other] = [fixture.grant({ only: ["a"], tokens: 60 }), fixture.grant({ only: ["b"], tokens: 30 })];
    expect(fixture.quota("tokens", "b")).toMatchObject({ pool: "org", remaining: 10 });
    expect(fixture.quota("concurrency", "a")).toMatchObject({ pool: "org", inFlight: 2, remaining: 0 });
    expect(fixture.refusal({ tokens: 1 }).reasons).toEqual([
      expect.objectContaining({ provider: "a", reason: "concurrency", pool: "org" }),
      expect.objectContaining({ provider: "b", reason: "concurrency", pool: "org" }),
    ]);
    mine.settle({ usage: { tokens: 65 } });
    expect(fixture.counted("tokens", "b")).toBe(95);
    other.release();
    expect(fixture.counted("tokens", "a")).toBe(65);
    expect(fixture.counted("requests", "b")).toBe(1);
  });

  it("upsertPool keeps usage and reservations and applies the new limits", () => {
    const fixture = shared();
    const lease = fixture.grant({ only: ["a"], tokens: 60 });
    fixture.limiter.observe({ provider: "b", usage: { tokens: 10 }, outcome: { status: "success" } });
    fixture.limiter.upsertPool({ name: "org", limits: { rpm: 9, tpm: 80, concurrency: 1 } });
    expect(fixture.quota("tokens", "b")).toMatchObject({ limit: 80, remaining: 10 });
    expect(fixture.counted("concurrency", "b")).toBe(1);
    expect(fixture.counted("requests", "b")).toBe(2);
    lease.release();
    expect(fixture.counted("tokens", "b")).toBe(10);
    expect(fixture.counted("concurrency", "b")).toBe(0);
    fixture.clock.advanceMs(60_000);
    expectNothingCounted(fixture);
  });

  it("a pool that a provider leaves or joins during a request has nothing in flight at the end", () => {
    const fixture = new LimiterFixture({
      pools: { org: { limits: { concurrency: 5, tpm: 100 } }, team: { limits: { concurrency: 5, tpm: 100 } } },
      providers: [
        { name: "a", pools: ["org"] },
        { name: "org", pools: ["org"] },
        { name: "team", pools: ["team"] },
      ],
      capabilities: { chat: ["a"] },
    });
    const lease = fixture.grant({ tokens: 50 });
    fixture.limiter.updateProvider("a", { pools: ["team"] });
    expect(fixture.counted("tokens", "org")).toBe(50);
    expect(fixture.counted("concurrency", "org")).toBe(1);
    lease.settle();
    for (const provider of ["a", "org", "team"]) expect(fixture.counted("concurrency", provider)).toBe(0);
    expect(fixture.counted("tokens", "org")).toBe(50);
    fixture.clock.advanceMs(62_000);
    expectNothingCounted(fixture);
  });

  it("a shared place that becomes free is available to both providers", () => {
    const fixture = shared();
    const leases = [fixture.grant({ only: ["a"] }), fixture.grant({ only: ["b"] })];
    expect(fixture.hasCapacity({}, "other")).toBe(false);
    leases[0]!.settle();
    expect(fixture.hasCapacity({}, "other")).toBe(true);
  });
});

describe("a quota that takes over the usage of another", () => {
  const rpm = (limit: number, more = {}) => ({
    dimension: "requests" as const,
    limit,
    window: "minute" as const,
    ...more,
  });
  const counts = (fixture: LimiterFixture) =>
    fixture.limiter.forecast("a")!.map(({ used, inFlight }) => [used, inFlight]);

  it.each([true, false])(
    "a quota that takes over usage counts an open request once (response headers received: %s)",
    (isAnswered) => {
      const fixture = chatFixture({ limits: { rpm: 10 } });
      fixture.grant().settle();
      const lease = fixture.grant();
      if (isAnswered) lease.headersReceived();
      fixture.limiter.updateProvider("a", { quotas: [rpm(10), rpm(8)] });
      expect(counts(fixture)).toEqual(Array(2).fill(isAnswered ? [2, 0] : [1, 1]));
      lease.settle();
      expect(counts(fixture)).toEqual(Array(2).fill([2, 0]));
      fixture.clock.advanceMs(61_001);
      expectNothingCounted(fixture);
    },
  );

  it.each([true, false])("usage is also taken over if countsAtEnd changes (%s)", (countsAtEnd) => {
    const fixture = chatFixture({ quotas: [rpm(10, { countsAtEnd: !countsAtEnd })] });
    const lease = fixture.grant();
    lease.headersReceived();
    fixture.limiter.updateProvider("a", { quotas: [rpm(10, { countsAtEnd })] });
    expect(counts(fixture)).toEqual([countsAtEnd ? [0, 1] : [1, 0]]);
    lease.settle();
    expect(counts(fixture)).toEqual([[1, 0]]);
    fixture.clock.advanceMs(61_001);
    expectNothingCounted(fixture);
  });

  it("a request that has just timed out still counts, and its place is still in use", () => {
    const quotas = (countsAtEnd: boolean) => [{ ...tokensPerMinute(100), countsAtEnd }];
    const fixture = chatFixture({ quotas: quotas(true) });
    const lease = fixture.grant({ tokens: 30 });
    lease.headersReceived();
    fixture.clock.advanceMs(200);
    lease.settle({ status: "timeout" });
    expect(fixture.counted("tokens")).toBe(30);
    fixture.limiter.updateProvider("a", { quotas: quotas(false) });
    expect(fixture.counted("tokens")).toBe(30);
    fixture.clock.advanceMs(61_001);
    expectNothingCounted(fixture);
  });

  it("usage is taken over only once: a provider that joins the pool later adds its own usage", () => {
    const fixture = new LimiterFixture({
      pools: { org: { quotas: [rpm(10)] } },
      providers: [{ name: "a", pools: ["org"] }, { name: "b" }],
      capabilities: { chat: ["a"], mail: ["b"] },
    });
    const [lease, later] = [fixture.grant(), fixture.grant({}, "mail")];
    lease.headersReceived();
    later.headersReceived();
    fixture.limiter.upsertPool({ name: "org", quotas: [rpm(10), rpm(8)] });
    fixture.limiter.updateProvider("b", { pools: ["org"] });
    expect(counts(fixture)).toEqual([
      [2, 0],
      [2, 0],
    ]);
  });
});

describe("a pool that is declared again", () => {
  it.each(["still draws from it", "has left it", "was removed"])(
    "upsertPool keeps the requests of a provider that %s",
    (what) => {
      const fixture = new LimiterFixture({
        pools: { org: { limits: { rpm: 10 } } },
        providers: [
          { name: "a", pools: ["org"] },
          { name: "b", pools: ["org"] },
        ],
        capabilities: { chat: ["a"] },
      });
      const leases = [fixture.grant(), fixture.grant(), fixture.grant()];
      if (what === "has left it") fixture.limiter.updateProvider("a", { pools: [] });
      if (what === "was removed") fixture.limiter.removeProvider("a");
      fixture.limiter.upsertPool({
        name: "org",
        quotas: [{ dimension: "requests", limit: 10, window: "minute", strategy: "fixed_window" }],
      });
      expect(fixture.quota("requests", "b")).toMatchObject({ inFlight: 3, remaining: 7 });
      for (const lease of leases) lease.settle();
      expect(fixture.quota("requests", "b")).toMatchObject({ used: 3, inFlight: 0, remaining: 7 });
    },
  );
});
