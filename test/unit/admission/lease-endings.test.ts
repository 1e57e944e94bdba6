// The table of lease endings: the requests and the other amounts that stay counted, and the effect on health.
import { describe, expect, it } from "vitest";
import { GrateLimiter, type Lease, MockClock, type StatusClass, type Usage } from "../../../src/index.ts";
import { chatFixture, LimiterFixture } from "../../support/limiter-fixture.ts";

const ESTIMATE = { tokens: 100, bytes: 50, costMicroUsd: 700 };
const TRUTH = { tokens: 130, bytes: 20, costMicroUsd: 900 };

function endingFixture(leaseTimeoutMs = 600_000) {
  return chatFixture(
    {
      limits: { rpm: 10, tpm: 1_000, concurrency: 3, usdPerHour: 1 },
      quotas: [{ dimension: "bytes", limit: 500, window: "minute" }],
    },
    { leaseTimeoutMs },
  );
}

function counts({ counted }: Counted) {
  return [counted("requests"), counted("tokens"), counted("bytes"), counted("cost_usd")];
}
type Counted = { counted: LimiterFixture["counted"] };
const bound = (fixture: LimiterFixture): Counted => ({ counted: (...asked) => fixture.counted(...asked) });

const NOTHING = [0, 0, 0, 0];
const REQUEST_ALONE = [1, 0, 0, 0];
const AS_ESTIMATED = [1, 100, 50, 700];
const AS_TRUE = [1, 130, 20, 900];

const COUNTED = ["success", "client_error", "server_error", "overloaded", "timeout"] as const;
const GIVEN_BACK = ["rate_limited", "quota_exhausted", "unauthorized", "forbidden"] as const;

/** Endings that have no effect on health and keep the amounts that the server might have counted. */
const ABANDONED: { [name: string]: (lease: Lease, fixture: LimiterFixture, usage?: Usage) => void } = {
  cancelled: (lease, _, usage) => lease.settle({ status: "cancelled", usage }),
  dispose: (lease, _, usage) => {
    if (usage !== undefined) lease.report(usage);
    lease[Symbol.dispose]();
  },
  "release after headersReceived": (lease, _, usage) => {
    if (usage !== undefined) lease.report(usage);
    lease.headersReceived();
    lease.release();
  },
  expiry: (lease, fixture, usage) => {
    if (usage !== undefined) lease.report(usage);
    fixture.clock.advanceMs(5_000);
  },
};

describe("an open lease counts its estimate", () => {
  it.each([["before the headers", false] as const, ["after the headers", true] as const])(
    "an open lease counts its estimate: %s",
    (_, headers) => {
      const fixture = endingFixture();
      const lease = fixture.grant(ESTIMATE);
      if (headers) lease.headersReceived();
      expect(counts(bound(fixture))).toEqual(AS_ESTIMATED);
      expect(fixture.quota("concurrency")).toMatchObject({ used: 0, inFlight: 1, remaining: 2 });
      expect(fixture.limiter.inspect().providers[0]!.inFlight).toBe(1);
      expect(fixture.limiter.remainingQuota("a", "tokens")).toBe(900);
      expect(lease).toMatchObject({ granted: true, provider: "a", capability: "chat", settled: false });
      expect(lease.reserved).toMatchObject({ tokens: 100, bytes: 50, costMicroUsd: 700 });
      expect(lease.decision).toMatchObject({ provider: "a", waitMs: 0, alternatives: [] });
    },
  );

  it("a report replaces the estimate and the next report replaces the first, each dimension on its own", () => {
    const fixture = endingFixture();
    const lease = fixture.grant(ESTIMATE);
    lease.report({ tokens: 300 });
    expect(counts(bound(fixture))).toEqual([1, 300, 50, 700]);
    lease.headersReceived();
    lease.report({ tokens: 40, bytes: 60 });
    expect(counts(bound(fixture))).toEqual([1, 40, 60, 700]);
    expect(lease.settled).toBe(false);
    lease.settle();
    expect(counts(bound(fixture))).toEqual([1, 40, 60, 700]);
  });

  it("a cancelled lease keeps the last reported usage, and a released one returns it", () => {
    const cancelled = endingFixture();
    const first = cancelled.grant(ESTIMATE);
    first.report({ tokens: 222 });
    first.settle({ status: "cancelled" });
    expect(counts(bound(cancelled))).toEqual([1, 222, 50, 700]);
    const limited = endingFixture();
    const second = limited.grant(ESTIMATE);
    second.report({ tokens: 222 });
    second.settle({ status: "rate_limited" });
    expect(counts(bound(limited))).toEqual(REQUEST_ALONE);
  });
});

describe("release before the request was sent", () => {
  it("release returns all amounts", () => {
    const fixture = endingFixture();
    const before = fixture.limiter.forecast("a")!.map(({ used, inFlight }) => [used, inFlight]);
    const lease = fixture.grant(ESTIMATE);
    fixture.clock.advanceMs(1);
    lease.release();
    expect(lease.settled).toBe(true);
    expect(counts(bound(fixture))).toEqual(NOTHING);
    expect(fixture.limiter.forecast("a")!.map(({ used, inFlight }) => [used, inFlight])).toEqual(before);
    expect(fixture.quota("concurrency").inFlight).toBe(0);
    expect(fixture.limiter.inspect().providers[0]).toMatchObject({ health: 1, latencyMs: null, inFlight: 0 });
  });

  it("after grant + skewCapMs release keeps the window amounts and frees the place", () => {
    const fixture = endingFixture();
    const lease = fixture.grant(ESTIMATE);
    fixture.clock.advanceMs(1_001);
    lease.release();
    expect(counts(bound(fixture))).toEqual(AS_ESTIMATED);
    expect(fixture.quota("concurrency").inFlight).toBe(0);
    fixture.clock.set(60_999);
    expect(counts(bound(fixture))).toEqual(AS_ESTIMATED);
    fixture.clock.set(61_000);
    expect(counts(bound(fixture)).slice(0, 3)).toEqual([0, 0, 0]);
  });

  it("with an infinite cap release returns the amounts for as long as possible", () => {
    const fixture = chatFixture({ limits: { rpm: 10 } }, { skewCapMs: Number.POSITIVE_INFINITY });
    const lease = fixture.grant();
    fixture.clock.advanceMs(500_000);
    expect(fixture.counted("requests")).toBe(1);
    lease.release();
    expect(fixture.counted("requests")).toBe(0);
  });
});

describe.each([false, true])("with headers before the end: %s", (headers) => {
  const ended = (status: StatusClass | number | undefined, usage?: Usage) => {
    const fixture = endingFixture();
    const lease = fixture.grant(ESTIMATE);
    fixture.clock.advanceMs(300);
    if (headers) lease.headersReceived();
    fixture.clock.advanceMs(200);
    lease.settle(status === undefined && usage === undefined ? undefined : { status, usage });
    expect(lease.settled).toBe(true);
    return fixture;
  };

  describe("settling with an answer", () => {
    it.each(COUNTED)("status %s counts the request and its settled usage", (status) => {
      expect(counts(bound(ended(status, TRUTH)))).toEqual(AS_TRUE);
    });

    it.each(COUNTED)("status %s counts the estimate if no usage is reported", (status) => {
      expect(counts(bound(ended(status)))).toEqual(AS_ESTIMATED);
      expect(counts(bound(ended(status, {})))).toEqual(AS_ESTIMATED);
    });

    it("a settled usage of 0 counts as 0", () => {
      expect(counts(bound(ended("success", { tokens: 0, bytes: 0, costMicroUsd: 0 })))).toEqual(REQUEST_ALONE);
    });

    it("settle without a status means success", () => {
      const fixture = ended(undefined);
      expect(counts(bound(fixture))).toEqual(AS_ESTIMATED);
      expect(fixture.limiter.inspect().providers[0]!.latencyMs).toBe(500);
      expect(fixture.limiter.metrics).toMatchObject({ leasesGranted: 1, leasesSettled: 1, leasesReleased: 0 });
    });
  });

  describe("settling with a refusal of the provider", () => {
    it.each(GIVEN_BACK)("status %s counts the request only", (status) => {
      expect(counts(bound(ended(status)))).toEqual(REQUEST_ALONE);
    });

    it.each(GIVEN_BACK)("status %s counts a cost only if a cost is reported", (status) => {
      const fixture = ended(status, { costMicroUsd: 44 });
      expect(fixture.counted("cost_usd")).toBe(44);
      expect(fixture.counted("bytes")).toBe(0);
    });
  });

  it("a refusal frees the concurrency place immediately, but a timeout frees it a second later", () => {
    for (const status of [...COUNTED, ...GIVEN_BACK]) {
      const fixture = ended(status);
      expect(fixture.quota("concurrency").inFlight, status).toBe(status === "timeout" ? 1 : 0);
      fixture.clock.advanceMs(999);
      expect(fixture.quota("concurrency").inFlight, status).toBe(status === "timeout" ? 1 : 0);
      fixture.clock.advanceMs(1);
      expect(fixture.quota("concurrency").inFlight, status).toBe(0);
      expect(fixture.limiter.inspect().providers[0]!.inFlight).toBe(0);
    }
  });

  it("a refused request counts a reported amount with an estimate of 0", () => {
    const fixture = endingFixture();
    const lease = fixture.grant({ tokens: 0, bytes: 0, costMicroUsd: 0 });
    if (headers) lease.headersReceived();
    expect(counts(bound(fixture))).toEqual(REQUEST_ALONE);
    lease.settle({ usage: TRUTH });
    expect(counts(bound(fixture))).toEqual(AS_TRUE);
    fixture.clock.advanceMs(3_700_000);
    expect(counts(bound(fixture))).toEqual(NOTHING);
  });

  it("a refused request without a reported number of requests keeps the number that was reserved", () => {
    const fixture = endingFixture();
    const lease = fixture.grant({ requests: 4, tokens: 10 });
    if (headers) lease.headersReceived();
    lease.settle({ usage: { tokens: 7 } });
    expect(fixture.counted("requests")).toBe(4);
    expect(fixture.counted("tokens")).toBe(7);
  });

  it("the amounts of a refused request leave the window in time", () => {
    for (const status of [...COUNTED, ...GIVEN_BACK, "cancelled" as const]) {
      const fixture = ended(status, TRUTH);
      fixture.clock.advanceMs(61_000);
      expect(counts(bound(fixture)).slice(0, 3), status).toEqual([0, 0, 0]);
      fixture.clock.advanceMs(3_600_000);
      expect(counts(bound(fixture)), status).toEqual(NOTHING);
    }
  });
});

describe("cancellation, disposal, release after the headers, and expiry", () => {
  it.each(Object.entries(ABANDONED))("%s keeps the estimate", (_, end) => {
    const fixture = endingFixture(5_000);
    const lease = fixture.grant(ESTIMATE);
    fixture.clock.advanceMs(10);
    end(lease, fixture);
    expect(counts(bound(fixture))).toEqual(AS_ESTIMATED);
    expect(lease.settled).toBe(true);
    fixture.clock.advanceMs(3_700_000);
    expect(counts(bound(fixture))).toEqual(NOTHING);
  });

  it.each(Object.entries(ABANDONED))("%s keeps the reported usage", (_, end) => {
    const fixture = endingFixture(5_000);
    end(fixture.grant(ESTIMATE), fixture, TRUTH);
    expect(counts(bound(fixture))).toEqual(AS_TRUE);
  });

  it.each(Object.entries(ABANDONED))("%s has no effect on health", (name, end) => {
    const fixture = endingFixture(5_000);
    for (const status of ["server_error", "server_error"] as const) {
      fixture.limiter.observe({ provider: "a", usage: { requests: 0 }, outcome: { status } });
    }
    const lease = fixture.grant(ESTIMATE);
    const twin = new GrateLimiter({ clock: new MockClock(), providers: [{ name: "a" }], capabilities: {} });
    for (const status of ["server_error", "server_error"] as const) {
      twin.observe({ provider: "a", outcome: { status } });
    }
    const before = twin.providerHealth("a")!;
    end(lease, fixture);
    const elapsed = fixture.clock.now();
    expect(fixture.limiter.providerHealth("a")).toBeCloseTo(1 - (1 - before) * 0.5 ** (elapsed / 300_000), 12);
    expect(fixture.limiter.inspect().providers[0]!.latencyMs, name).toBeNull();
    // The streak goes on: the third failure starts the cooldown.
    fixture.limiter.observe({ provider: "a", usage: { requests: 0 }, outcome: { status: "server_error" } });
    expect(fixture.limiter.providerInCooldown("a")).toBe(true);
  });

  it.each(Object.entries(ABANDONED))("%s frees the concurrency place a second later", (name, end) => {
    const fixture = endingFixture(5_000);
    end(fixture.grant(ESTIMATE), fixture);
    // A read at the instant of the expiry already sees the expired lease.
    expect(fixture.quota("concurrency").inFlight, name).toBe(1);
    fixture.clock.advanceMs(999);
    expect(fixture.quota("concurrency").inFlight, name).toBe(1);
    fixture.clock.advanceMs(1);
    expect(fixture.quota("concurrency").inFlight, name).toBe(0);
  });

  it("`using` ends a lease that is still open and does nothing to a settled one", () => {
    const fixture = endingFixture();
    {
      using lease = fixture.grant(ESTIMATE);
      expect(lease.settled).toBe(false);
    }
    expect(counts(bound(fixture))).toEqual(AS_ESTIMATED);
    {
      using lease = fixture.grant(ESTIMATE);
      lease.release();
    }
    expect(counts(bound(fixture))).toEqual(AS_ESTIMATED);
    expect(() => {
      using _lease = fixture.grant(ESTIMATE);
      throw new TypeError("a typo");
    }).toThrow("a typo");
    expect(counts(bound(fixture))).toEqual([2, 200, 100, 1_400]);
    expect(fixture.limiter.providerHealth("a")).toBe(1);
    expect(fixture.limiter.metrics).toMatchObject({ leasesGranted: 3, leasesSettled: 2, leasesReleased: 1 });
    fixture.clock.advanceMs(1_000);
    expect(fixture.quota("concurrency").inFlight).toBe(0);
  });
});

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
      if (answer.granted) observed.limiter.observe({ provider: "a", outcome: { status, latencyMs: 40 } });
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
    const reported = fixture.grant();
    fixture.clock.advanceMs(250);
    reported.settle({ latencyMs: 12.5 });
    expect(fixture.limiter.inspect().providers[0]!.latencyMs).toBe(12.5);
    fixture.grant().settle({ status: "rate_limited", retryAfterMs: 7_000 });
    expect(fixture.limiter.inspect().providers[0]!.cooldownMs).toBe(7_000);
  });
});

describe("the first ending of a lease is final", () => {
  const ENDINGS: { [name: string]: (lease: Lease, fixture: LimiterFixture) => void } = {
    success: (lease) => lease.settle({ status: "success", usage: TRUTH }),
    server_error: (lease) => lease.settle({ status: "server_error" }),
    timeout: (lease) => lease.settle({ status: "timeout" }),
    rate_limited: (lease) => lease.settle({ status: "rate_limited", retryAfterMs: 2_000 }),
    cancelled: (lease) => lease.settle({ status: "cancelled" }),
    release: (lease) => lease.release(),
    dispose: (lease) => lease[Symbol.dispose](),
    expiry: (_, fixture) => {
      fixture.clock.set(5_000);
      fixture.limiter.inspect();
    },
    "an expiry that was not read yet": (_, fixture) => fixture.clock.set(5_000),
  };

  it.each(Object.entries(ENDINGS))("after %s no method of the lease changes anything", (_, end) => {
    const fixture = endingFixture(5_000);
    fixture.grant({ tokens: 3 }).headersReceived();
    const lease = fixture.grant(ESTIMATE);
    const twin = endingFixture(5_000);
    twin.grant({ tokens: 3 }).headersReceived();
    end(twin.grant(ESTIMATE), twin);
    end(lease, fixture);
    const recorded = fixture.recordEvents();
    const same = () => {
      expect(fixture.state()).toBe(twin.state());
      expect(fixture.limiter.metrics).toEqual(twin.limiter.metrics);
    };
    for (const ms of [0, 1, 300, 5_000, 55_000, 3_600_000]) {
      fixture.clock.advanceMs(ms);
      twin.clock.advanceMs(ms);
      lease.headersReceived();
      lease.report({ tokens: 999, bytes: Number.NaN });
      for (const again of Object.values(ENDINGS)) if (!again.toString().includes("clock")) again(lease, fixture);
      lease.settle({ status: "unauthorized" });
      lease.settle({ status: "no such status" as StatusClass, usage: { tokens: Number.NaN } });
      same();
      expect(lease.settled).toBe(true);
    }
    expect(recorded.filter(({ event }) => event === "leaseSettled" || event === "providerDead")).toEqual([]);
  });

  it("only the first headersReceived has an effect", () => {
    const fixture = endingFixture();
    const lease = fixture.grant(ESTIMATE);
    fixture.clock.set(300);
    lease.headersReceived();
    fixture.clock.set(700);
    lease.headersReceived();
    lease.settle();
    fixture.clock.set(60_299);
    expect(fixture.counted("requests")).toBe(1);
    fixture.clock.set(60_300);
    expect(fixture.counted("requests")).toBe(0);
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
      expect(counts(bound(fixture))).toEqual(AS_ESTIMATED);
      expect(fixture.limiter.inspect().providers[0]).toMatchObject({ health: 1, latencyMs: null });
      expect(fixture.limiter.metrics).toMatchObject({ invalidUsages: 1, leasesSettled: 1 });
      expect(recorded.find(({ event }) => event === "leaseSettled")!.data).toMatchObject({ status: "cancelled" });
      expect(fixture.quota("concurrency").inFlight).toBe(1);
      fixture.clock.advanceMs(1_000);
      expect(fixture.quota("concurrency").inFlight).toBe(0);
    },
  );

  it.each([
    429,
    "rate_limited",
    null,
    [],
    { code: 429 },
    { statusCode: 429 },
    { outcome: { status: 429 } },
    { ok: true },
  ])("a lease that is settled with %j ends as cancelled, and a metric counts it", (settlement) => {
    const fixture = endingFixture();
    fixture.limiter.observe({ provider: "a", usage: { requests: 0, tokens: 0 }, outcome: { status: "server_error" } });
    const before = fixture.limiter.providerHealth("a");
    const recorded = fixture.recordEvents();
    expect(() => fixture.grant(ESTIMATE).settle(settlement as never)).not.toThrow();
    expect(recorded.find(({ event }) => event === "leaseSettled")!.data).toMatchObject({ status: "cancelled" });
    expect(fixture.limiter.providerHealth("a")).toBe(before);
    expect(fixture.limiter.metrics).toMatchObject({ invalidUsages: 1, leasesSettled: 1 });
  });

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

  it("an unknown key is counted, and a valid status beside it is used", () => {
    const fixture = endingFixture();
    const recorded = fixture.recordEvents();
    fixture.grant(ESTIMATE).settle({ status: 429, retryAfter: 3 } as never);
    fixture.grant(ESTIMATE).settle({ status: undefined, usage: undefined });
    fixture.grant(ESTIMATE).settle({ status: undefined, usage: undefined, reported: [] } as never);
    expect(recorded.filter(({ event }) => event === "leaseSettled").map(({ data }) => data)).toMatchObject([
      { status: "rate_limited" },
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
      expect(counts(bound(fixture))).toEqual([1, 100, 7, 700]);
      expect(fixture.limiter.metrics.invalidUsages).toBe(1);
      const reported = fixture.grant(ESTIMATE);
      expect(() => reported.report({ tokens: bad as number, bytes: 8 })).not.toThrow();
      expect(counts(bound(fixture))).toEqual([2, 200, 15, 1_400]);
      expect(fixture.limiter.metrics.invalidUsages).toBe(2);
    },
  );

  it("fractions of settled amounts are rounded up", () => {
    const fixture = endingFixture();
    const lease = fixture.grant({ tokens: 10.2 });
    expect(fixture.counted("tokens")).toBe(11);
    lease.settle({ usage: { tokens: 20.01, bytes: 0.5 } });
    expect(fixture.counted("tokens")).toBe(21);
    expect(fixture.counted("bytes")).toBe(1);
  });

  it("an invalid latency or waiting time is ignored and counted", () => {
    const fixture = endingFixture();
    fixture.grant().settle({ latencyMs: -5 });
    expect(fixture.limiter.metrics.invalidUsages).toBe(1);
    fixture.grant().settle({ status: "rate_limited", retryAfterMs: Number.NaN });
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
