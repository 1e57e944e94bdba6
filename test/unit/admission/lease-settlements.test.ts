// Settlements of a lease: their effect on health, invalid ones, and their cost.
import { describe, expect, it } from "vitest";
import type { StatusClass } from "../../../src/index.ts";
import {
  AS_ESTIMATED,
  boundCounted,
  COUNTED,
  counts,
  ESTIMATE,
  endingFixture,
  GIVEN_BACK,
} from "../../support/ending-fixture.ts";
import { chatFixture, LimiterFixture } from "../../support/limiter-fixture.ts";

describe("effects on health", () => {
  const STATUSES = [...COUNTED, ...GIVEN_BACK, "cancelled" as const, 200, 404, 429, 402, 500, 529, 504, 403, 401];

  it.each(STATUSES)("a settled lease with status %s changes health exactly as an observation does", (status) => {
    const settled = endingFixture();
    const observed = endingFixture();
    for (let i = 0; i < 4; i++) {
      for (const fixture of [settled, observed]) fixture.clock.advanceMs(100);
      const answer = settled.limiter.tryAcquire("chat", ESTIMATE);
      for (const fixture of [settled, observed]) fixture.clock.advanceMs(40);
      if (answer.granted) answer.settle({ status });
      if (answer.granted)
        observed.limiter.observe({ provider: "a", usage: ESTIMATE, outcome: { status, latencyMs: 40 } });
      const [mine] = settled.limiter.inspect().providers;
      const [other] = observed.limiter.inspect().providers;
      expect(mine).toMatchObject({ health: other!.health, cooldownMs: other!.cooldownMs, latencyMs: other!.latencyMs });
    }
  });

  it("an exhausted quota with a known reset starts a cooldown until the reset", () => {
    const fixture = chatFixture({
      quotas: [{ dimension: "requests", limit: 100, window: { calendar: "day" } }],
      limits: { rpm: 5 },
    });
    fixture.clock.set(80_000_000);
    const lease = fixture.grant();
    fixture.clock.advanceMs(400_000);
    lease.settle({ status: "quota_exhausted" });
    expect(fixture.limiter.inspect().providers[0]).toMatchObject({ state: "cooldown", cooldownMs: 6_000_000 });
    const stated = chatFixture({ quotas: [{ dimension: "requests", limit: 100, window: { calendar: "day" } }] });
    stated.grant().settle({ status: "quota_exhausted", retryAfterMs: 7_000 });
    expect(stated.limiter.inspect().providers[0]!.cooldownMs).toBe(7_000);
  });

  it("a reported latency takes the place of the measured one, and retryAfterMs starts a cooldown", () => {
    const fixture = endingFixture();
    const reported = fixture.grant(ESTIMATE);
    fixture.clock.advanceMs(250);
    reported.settle({ latencyMs: 12.5 });
    expect(fixture.limiter.inspect().providers[0]!.latencyMs).toBe(12.5);
    fixture.grant(ESTIMATE).settle({ status: "rate_limited", retryAfterMs: 7_000 });
    expect(fixture.limiter.inspect().providers[0]!.cooldownMs).toBe(7_000);
  });
});

describe("invalid settlements", () => {
  it.each(["nonsense", 42, 700, Number.NaN, null, {}, -1])(
    "a lease that is settled with status %s ends as cancelled, and a metric counts it",
    (status) => {
      const fixture = endingFixture();
      const recorded = fixture.recordEvents();
      const lease = fixture.grant(ESTIMATE);
      expect(() => lease.settle({ status: status as StatusClass })).not.toThrow();
      expect(lease.settled).toBe(true);
      expect(counts(boundCounted(fixture))).toEqual(AS_ESTIMATED);
      expect(fixture.limiter.inspect().providers[0]).toMatchObject({ health: 1, latencyMs: null });
      expect(fixture.limiter.metrics).toMatchObject({ invalidUsages: 1, leasesSettled: 1 });
      expect(recorded.find(({ event }) => event === "leaseSettled")!.data).toMatchObject({ status: "cancelled" });
      expect(fixture.quota("concurrency").inFlight).toBe(1);
      fixture.clock.advanceMs(1_000);
      expect(fixture.quota("concurrency").inFlight).toBe(0);
    },
  );

  it.each([429, "rate_limited"] as const)("a lease can be settled with the status %s alone", (status) => {
    const fixture = endingFixture();
    const recorded = fixture.recordEvents();
    fixture.grant(ESTIMATE).settle(status);
    expect(recorded.find(({ event }) => event === "leaseSettled")!.data).toMatchObject({ status: "rate_limited" });
    expect(fixture.limiter.metrics).toMatchObject({ invalidUsages: 0, unrecognizedOutcomes: 0, leasesSettled: 1 });
  });

  it("a settlement that cannot be read is counted and emitted without its content", () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const throwing = {
      get status() {
        throw new Error("trap");
      },
    };
    const secret = Object.assign(new Error("secret"), { code: `E${"x".repeat(100)}` });
    for (const settlement of [42, "nonsense", null, { code: 429 }, proxy, throwing, secret]) {
      const fixture = endingFixture();
      const recorded = fixture.recordEvents();
      expect(() => fixture.grant(ESTIMATE).settle(settlement as never)).not.toThrow();
      expect(fixture.limiter.metrics).toMatchObject({ unrecognizedOutcomes: 1, leasesSettled: 1 });
      const { data } = recorded.find(({ event }) => event === "unrecognizedOutcome")!;
      expect(data).toMatchObject({ provider: "a", capability: "chat" });
      expect(JSON.stringify(data)).not.toContain("secret");
      expect(JSON.stringify(data).length).toBeLessThan(200);
    }
  });

  it.each([null, [], { code: 429 }, { statusCode: 429 }, { outcome: { status: 429 } }, { ok: true }])(
    "a lease that is settled with %j ends as cancelled, and a metric counts it",
    (settlement) => {
      const fixture = endingFixture();
      fixture.limiter.observe({
        provider: "a",
        usage: { requests: 0, tokens: 0 },
        outcome: { status: "server_error" },
      });
      const before = fixture.limiter.providerHealth("a");
      const recorded = fixture.recordEvents();
      expect(() => fixture.grant(ESTIMATE).settle(settlement as never)).not.toThrow();
      expect(recorded.find(({ event }) => event === "leaseSettled")!.data).toMatchObject({ status: "cancelled" });
      expect(fixture.limiter.providerHealth("a")).toBe(before);
      expect(fixture.limiter.metrics).toMatchObject({ invalidUsages: 1, leasesSettled: 1 });
    },
  );

  it.each([new Error("x"), Promise.resolve(1), new Map(), new Date(0)])(
    "a lease that is settled with the object %s ends as cancelled, and a metric counts it",
    (settlement) => {
      const fixture = endingFixture();
      const recorded = fixture.recordEvents();
      fixture.grant(ESTIMATE).settle(settlement as never);
      expect(recorded.find(({ event }) => event === "leaseSettled")!.data).toMatchObject({ status: "cancelled" });
      expect(fixture.limiter.metrics.invalidUsages).toBe(1);
    },
  );

  it("a settlement can be an instance of a class", () => {
    const fixture = endingFixture();
    class Ending {
      readonly status = 503;
    }
    fixture.grant(ESTIMATE).settle(new Ending());
    fixture.grant(ESTIMATE).settle(Object.create(null));
    expect(fixture.limiter.metrics.invalidUsages).toBe(0);
    expect(fixture.limiter.providerHealth("a")).toBeLessThan(1);
  });

  it("an unknown key beside a valid status is counted, and the status is used", () => {
    const fixture = endingFixture();
    const recorded = fixture.recordEvents();
    fixture.grant(ESTIMATE).settle({ status: 500, retryAfter: 3 } as never);
    fixture.grant(ESTIMATE).settle({ status: undefined, usage: undefined });
    fixture.grant(ESTIMATE).settle({ status: undefined, usage: undefined, remaining: 3 } as never);
    expect(recorded.filter(({ event }) => event === "leaseSettled").map(({ data }) => data)).toMatchObject([
      { status: "server_error" },
      { status: "success" },
      { status: "cancelled" },
    ]);
    expect(fixture.limiter.metrics.invalidUsages).toBe(2);
  });

  it.each([Number.NaN, -1, Number.POSITIVE_INFINITY, "12", null])(
    "the invalid amount %s is ignored and counted",
    (bad) => {
      const fixture = endingFixture();
      const settled = fixture.grant(ESTIMATE);
      expect(() => settled.settle({ usage: { tokens: bad as number, bytes: 7 } })).not.toThrow();
      expect(counts(boundCounted(fixture))).toEqual([1, 100, 7, 700]);
      expect(fixture.limiter.metrics.invalidUsages).toBe(1);
      const reported = fixture.grant(ESTIMATE);
      expect(() => reported.report({ tokens: bad as number, bytes: 8 })).not.toThrow();
      expect(counts(boundCounted(fixture))).toEqual([2, 200, 15, 1_400]);
      expect(fixture.limiter.metrics.invalidUsages).toBe(2);
    },
  );

  it("fractions of settled amounts are rounded up", () => {
    const fixture = endingFixture();
    const lease = fixture.grant({ tokens: 10.2, costMicroUsd: 5 });
    expect(fixture.counted("tokens")).toBe(11);
    lease.settle({ usage: { tokens: 20.01, bytes: 0.5 } });
    expect(fixture.counted("tokens")).toBe(21);
    expect(fixture.counted("bytes")).toBe(1);
  });

  it("an invalid latency or waiting time is ignored and counted", () => {
    const fixture = endingFixture();
    fixture.grant(ESTIMATE).settle({ latencyMs: -5 });
    expect(fixture.limiter.metrics.invalidUsages).toBe(1);
    fixture.grant(ESTIMATE).settle({ status: "server_error", retryAfterMs: Number.NaN });
    expect(fixture.limiter.metrics.invalidUsages).toBe(2);
    expect(fixture.limiter.providerInCooldown("a")).toBe(false);
  });
});

describe("cost", () => {
  const priced = () =>
    new LimiterFixture({
      providers: [
        {
          name: "a",
          limits: { usdPerDay: 1 },
          price: { usdPerRequest: 0.00001, usdPerMillionInputTokens: 1, usdPerMillionOutputTokens: 3 },
        },
      ],
      capabilities: { chat: ["a"] },
    });

  it("cost is reserved by the price, and settled by the price and the reported tokens", () => {
    const fixture = priced();
    const lease = fixture.grant({ inputTokens: 100, outputTokens: 100 });
    expect(fixture.counted("cost_usd")).toBe(410);
    lease.settle({ usage: { inputTokens: 100, outputTokens: 10 } });
    expect(fixture.counted("cost_usd")).toBe(140);
  });

  it.each(GIVEN_BACK)("a request with %s costs nothing", (status) => {
    const fixture = priced();
    fixture.grant({ inputTokens: 100, outputTokens: 100 }).settle({ status });
    expect(fixture.counted("cost_usd")).toBe(0);
  });

  it("a request is refused if its cost does not fit", () => {
    const fixture = priced();
    const [reason] = fixture.refusal({ inputTokens: 999_995, outputTokens: 0 }).reasons;
    expect(reason).toMatchObject({ reason: "too_large", dimension: "cost_usd", limit: 1e6, needed: 1_000_005 });
    fixture.grant({ inputTokens: 999_990, outputTokens: 0 });
    expect(fixture.refusal({ inputTokens: 1 }).reasons[0]).toMatchObject({ reason: "quota", dimension: "cost_usd" });
  });
});
