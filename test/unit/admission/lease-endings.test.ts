// The table of lease endings: the requests and the other amounts that stay counted, and the effect on health.
import { describe, expect, it } from "vitest";
import { GrateLimiter, type Lease, MockClock, type StatusClass, type Usage } from "../../../src/index.ts";
import { Desk, desk } from "../../support/limiter-fixture.ts";

const ESTIMATE = { tokens: 100, bytes: 50, costMicroUsd: 700 };
const TRUTH = { tokens: 130, bytes: 20, costMicroUsd: 900 };

function table(leaseTimeoutMs = 600_000) {
  return desk(
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
type Counted = { counted: Desk["counted"] };
const bound = (one: Desk): Counted => ({ counted: (...asked) => one.counted(...asked) });

const NOTHING = [0, 0, 0, 0];
const REQUEST_ALONE = [1, 0, 0, 0];
const AS_ESTIMATED = [1, 100, 50, 700];
const AS_TRUE = [1, 130, 20, 900];

const COUNTED = ["success", "client_error", "server_error", "overloaded", "timeout"] as const;
const GIVEN_BACK = ["rate_limited", "quota_exhausted", "unauthorized", "forbidden"] as const;

/** Endings that have no effect on health and keep the amounts that the server might have counted. */
const ABANDONED: { [name: string]: (lease: Lease, one: Desk, usage?: Usage) => void } = {
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
  expiry: (lease, one, usage) => {
    if (usage !== undefined) lease.report(usage);
    one.clock.advanceMs(5_000);
  },
};

describe("an open lease counts its estimate", () => {
  it.each([["before the headers", false] as const, ["after the headers", true] as const])(
    "an open lease counts its estimate: %s",
    (_, headers) => {
      const one = table();
      const lease = one.take(ESTIMATE);
      if (headers) lease.headersReceived();
      expect(counts(bound(one))).toEqual(AS_ESTIMATED);
      expect(one.quota("concurrency")).toMatchObject({ used: 0, inFlight: 1, remaining: 2 });
      expect(one.limiter.inspect().providers[0]!.inFlight).toBe(1);
      expect(one.limiter.remainingQuota("a", "tokens")).toBe(900);
      expect(lease).toMatchObject({ granted: true, provider: "a", capability: "chat", settled: false });
      expect(lease.reserved).toMatchObject({ tokens: 100, bytes: 50, costMicroUsd: 700 });
      expect(lease.decision).toMatchObject({ provider: "a", waitMs: 0, alternatives: [] });
    },
  );

  it("a report replaces the estimate and the next report replaces the first, each dimension on its own", () => {
    const one = table();
    const lease = one.take(ESTIMATE);
    lease.report({ tokens: 300 });
    expect(counts(bound(one))).toEqual([1, 300, 50, 700]);
    lease.headersReceived();
    lease.report({ tokens: 40, bytes: 60 });
    expect(counts(bound(one))).toEqual([1, 40, 60, 700]);
    expect(lease.settled).toBe(false);
    lease.settle();
    expect(counts(bound(one))).toEqual([1, 40, 60, 700]);
  });

  it("a cancelled lease keeps the last reported usage, and a released one returns it", () => {
    const cancelled = table();
    const first = cancelled.take(ESTIMATE);
    first.report({ tokens: 222 });
    first.settle({ status: "cancelled" });
    expect(counts(bound(cancelled))).toEqual([1, 222, 50, 700]);
    const limited = table();
    const second = limited.take(ESTIMATE);
    second.report({ tokens: 222 });
    second.settle({ status: "rate_limited" });
    expect(counts(bound(limited))).toEqual(REQUEST_ALONE);
  });
});

describe("release before the request was sent", () => {
  it("release returns all amounts", () => {
    const one = table();
    const before = one.limiter.forecast("a")!.map(({ used, inFlight }) => [used, inFlight]);
    const lease = one.take(ESTIMATE);
    one.clock.advanceMs(1);
    lease.release();
    expect(lease.settled).toBe(true);
    expect(counts(bound(one))).toEqual(NOTHING);
    expect(one.limiter.forecast("a")!.map(({ used, inFlight }) => [used, inFlight])).toEqual(before);
    expect(one.quota("concurrency").inFlight).toBe(0);
    expect(one.limiter.inspect().providers[0]).toMatchObject({ health: 1, latencyMs: null, inFlight: 0 });
  });

  it("after grant + skewCapMs release keeps the window amounts and frees the place", () => {
    const one = table();
    const lease = one.take(ESTIMATE);
    one.clock.advanceMs(1_001);
    lease.release();
    expect(counts(bound(one))).toEqual(AS_ESTIMATED);
    expect(one.quota("concurrency").inFlight).toBe(0);
    one.clock.set(60_999);
    expect(counts(bound(one))).toEqual(AS_ESTIMATED);
    one.clock.set(61_000);
    expect(counts(bound(one)).slice(0, 3)).toEqual([0, 0, 0]);
  });

  it("with an infinite cap release returns the amounts for as long as possible", () => {
    const one = desk({ limits: { rpm: 10 } }, { skewCapMs: Number.POSITIVE_INFINITY });
    const lease = one.take();
    one.clock.advanceMs(500_000);
    expect(one.counted("requests")).toBe(1);
    lease.release();
    expect(one.counted("requests")).toBe(0);
  });
});

describe.each([false, true])("with headers before the end: %s", (headers) => {
  const ended = (status: StatusClass | number | undefined, usage?: Usage) => {
    const one = table();
    const lease = one.take(ESTIMATE);
    one.clock.advanceMs(300);
    if (headers) lease.headersReceived();
    one.clock.advanceMs(200);
    lease.settle(status === undefined && usage === undefined ? undefined : { status, usage });
    expect(lease.settled).toBe(true);
    return one;
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
      const one = ended(undefined);
      expect(counts(bound(one))).toEqual(AS_ESTIMATED);
      expect(one.limiter.inspect().providers[0]!.latencyMs).toBe(500);
      expect(one.limiter.metrics).toMatchObject({ leasesGranted: 1, leasesSettled: 1, leasesReleased: 0 });
    });
  });

  describe("settling with a refusal of the provider", () => {
    it.each(GIVEN_BACK)("status %s counts the request only", (status) => {
      expect(counts(bound(ended(status)))).toEqual(REQUEST_ALONE);
    });

    it.each(GIVEN_BACK)("status %s counts a cost only if a cost is reported", (status) => {
      const one = ended(status, { costMicroUsd: 44 });
      expect(one.counted("cost_usd")).toBe(44);
      expect(one.counted("bytes")).toBe(0);
    });
  });

  it("a refusal frees the concurrency place immediately, but a timeout frees it a second later", () => {
    for (const status of [...COUNTED, ...GIVEN_BACK]) {
      const one = ended(status);
      expect(one.quota("concurrency").inFlight, status).toBe(status === "timeout" ? 1 : 0);
      one.clock.advanceMs(999);
      expect(one.quota("concurrency").inFlight, status).toBe(status === "timeout" ? 1 : 0);
      one.clock.advanceMs(1);
      expect(one.quota("concurrency").inFlight, status).toBe(0);
      expect(one.limiter.inspect().providers[0]!.inFlight).toBe(0);
    }
  });

  it("a refused request counts a reported amount with an estimate of 0", () => {
    const one = table();
    const lease = one.take({ tokens: 0, bytes: 0, costMicroUsd: 0 });
    if (headers) lease.headersReceived();
    expect(counts(bound(one))).toEqual(REQUEST_ALONE);
    lease.settle({ usage: TRUTH });
    expect(counts(bound(one))).toEqual(AS_TRUE);
    one.clock.advanceMs(3_700_000);
    expect(counts(bound(one))).toEqual(NOTHING);
  });

  it("a refused request without a reported number of requests keeps the number that was reserved", () => {
    const one = table();
    const lease = one.take({ requests: 4, tokens: 10 });
    if (headers) lease.headersReceived();
    lease.settle({ usage: { tokens: 7 } });
    expect(one.counted("requests")).toBe(4);
    expect(one.counted("tokens")).toBe(7);
  });

  it("the amounts of a refused request leave the window in time", () => {
    for (const status of [...COUNTED, ...GIVEN_BACK, "cancelled" as const]) {
      const one = ended(status, TRUTH);
      one.clock.advanceMs(61_000);
      expect(counts(bound(one)).slice(0, 3), status).toEqual([0, 0, 0]);
      one.clock.advanceMs(3_600_000);
      expect(counts(bound(one)), status).toEqual(NOTHING);
    }
  });
});

describe("cancellation, disposal, release after the headers, and expiry", () => {
  it.each(Object.entries(ABANDONED))("%s keeps the estimate", (_, end) => {
    const one = table(5_000);
    const lease = one.take(ESTIMATE);
    one.clock.advanceMs(10);
    end(lease, one);
    expect(counts(bound(one))).toEqual(AS_ESTIMATED);
    expect(lease.settled).toBe(true);
    one.clock.advanceMs(3_700_000);
    expect(counts(bound(one))).toEqual(NOTHING);
  });

  it.each(Object.entries(ABANDONED))("%s keeps the reported usage", (_, end) => {
    const one = table(5_000);
    end(one.take(ESTIMATE), one, TRUTH);
    expect(counts(bound(one))).toEqual(AS_TRUE);
  });

  it.each(Object.entries(ABANDONED))("%s has no effect on health", (name, end) => {
    const one = table(5_000);
    for (const status of ["server_error", "server_error"] as const) {
      one.limiter.observe({ provider: "a", usage: { requests: 0 }, outcome: { status } });
    }
    const lease = one.take(ESTIMATE);
    const twin = new GrateLimiter({ clock: new MockClock(), providers: [{ name: "a" }], capabilities: {} });
    for (const status of ["server_error", "server_error"] as const) {
      twin.observe({ provider: "a", outcome: { status } });
    }
    const before = twin.providerHealth("a")!;
    end(lease, one);
    const elapsed = one.clock.now();
    expect(one.limiter.providerHealth("a")).toBeCloseTo(1 - (1 - before) * 0.5 ** (elapsed / 300_000), 12);
    expect(one.limiter.inspect().providers[0]!.latencyMs, name).toBeNull();
    // The streak goes on: the third failure starts the cooldown.
    one.limiter.observe({ provider: "a", usage: { requests: 0 }, outcome: { status: "server_error" } });
    expect(one.limiter.providerInCooldown("a")).toBe(true);
  });

  it.each(Object.entries(ABANDONED))("%s frees the concurrency place a second later", (name, end) => {
    const one = table(5_000);
    end(one.take(ESTIMATE), one);
    // A read at the instant of the expiry already sees the expired lease.
    expect(one.quota("concurrency").inFlight, name).toBe(1);
    one.clock.advanceMs(999);
    expect(one.quota("concurrency").inFlight, name).toBe(1);
    one.clock.advanceMs(1);
    expect(one.quota("concurrency").inFlight, name).toBe(0);
  });

  it("`using` ends a lease that is still open and does nothing to a settled one", () => {
    const one = table();
    {
      using lease = one.take(ESTIMATE);
      expect(lease.settled).toBe(false);
    }
    expect(counts(bound(one))).toEqual(AS_ESTIMATED);
    {
      using lease = one.take(ESTIMATE);
      lease.release();
    }
    expect(counts(bound(one))).toEqual(AS_ESTIMATED);
    expect(() => {
      using _lease = one.take(ESTIMATE);
      throw new TypeError("a typo");
    }).toThrow("a typo");
    expect(counts(bound(one))).toEqual([2, 200, 100, 1_400]);
    expect(one.limiter.providerHealth("a")).toBe(1);
    expect(one.limiter.metrics).toMatchObject({ leasesGranted: 3, leasesSettled: 2, leasesReleased: 1 });
    one.clock.advanceMs(1_000);
    expect(one.quota("concurrency").inFlight).toBe(0);
  });
});

describe("effects on health", () => {
  const STATUSES = [...COUNTED, ...GIVEN_BACK, "cancelled" as const, 200, 404, 429, 402, 500, 529, 504, 403, 401];

  it.each(STATUSES)("a settled lease with status %s changes health exactly as an observation does", (status) => {
    const settled = table();
    const observed = table();
    for (let i = 0; i < 4; i++) {
      for (const one of [settled, observed]) one.clock.advanceMs(100);
      const answer = settled.limiter.tryAcquire("chat", ESTIMATE);
      for (const one of [settled, observed]) one.clock.advanceMs(40);
      if (answer.granted) answer.settle({ status });
      if (answer.granted) observed.limiter.observe({ provider: "a", outcome: { status, latencyMs: 40 } });
      const [mine] = settled.limiter.inspect().providers;
      const [other] = observed.limiter.inspect().providers;
      expect(mine).toMatchObject({ health: other!.health, cooldownMs: other!.cooldownMs, latencyMs: other!.latencyMs });
    }
  });

  it("an exhausted quota with a known reset starts a cooldown until the reset", () => {
    const one = desk({
      quotas: [{ dimension: "requests", limit: 100, window: { calendar: "day" } }],
      limits: { rpm: 5 },
    });
    one.clock.set(80_000_000);
    const lease = one.take();
    one.clock.advanceMs(400_000);
    lease.settle({ status: "quota_exhausted" });
    expect(one.limiter.inspect().providers[0]).toMatchObject({ state: "cooldown", cooldownMs: 6_000_000 });
    const told = desk({ quotas: [{ dimension: "requests", limit: 100, window: { calendar: "day" } }] });
    told.take().settle({ status: "quota_exhausted", retryAfterMs: 7_000 });
    expect(told.limiter.inspect().providers[0]!.cooldownMs).toBe(7_000);
  });

  it("a reported latency takes the place of the measured one, and retryAfterMs starts a cooldown", () => {
    const one = table();
    const told = one.take();
    one.clock.advanceMs(250);
    told.settle({ latencyMs: 12.5 });
    expect(one.limiter.inspect().providers[0]!.latencyMs).toBe(12.5);
    one.take().settle({ status: "rate_limited", retryAfterMs: 7_000 });
    expect(one.limiter.inspect().providers[0]!.cooldownMs).toBe(7_000);
  });
});

describe("the first ending of a lease is final", () => {
  const ENDINGS: { [name: string]: (lease: Lease, one: Desk) => void } = {
    success: (lease) => lease.settle({ status: "success", usage: TRUTH }),
    server_error: (lease) => lease.settle({ status: "server_error" }),
    timeout: (lease) => lease.settle({ status: "timeout" }),
    rate_limited: (lease) => lease.settle({ status: "rate_limited", retryAfterMs: 2_000 }),
    cancelled: (lease) => lease.settle({ status: "cancelled" }),
    release: (lease) => lease.release(),
    dispose: (lease) => lease[Symbol.dispose](),
    expiry: (_, one) => {
      one.clock.set(5_000);
      one.limiter.inspect();
    },
    "an expiry that was not read yet": (_, one) => one.clock.set(5_000),
  };

  it.each(Object.entries(ENDINGS))("after %s no method of the lease changes anything", (_, end) => {
    const one = table(5_000);
    one.take({ tokens: 3 }).headersReceived();
    const lease = one.take(ESTIMATE);
    const twin = table(5_000);
    twin.take({ tokens: 3 }).headersReceived();
    end(twin.take(ESTIMATE), twin);
    end(lease, one);
    const heard = one.listen();
    const same = () => {
      expect(one.state()).toBe(twin.state());
      expect(one.limiter.metrics).toEqual(twin.limiter.metrics);
    };
    for (const ms of [0, 1, 300, 5_000, 55_000, 3_600_000]) {
      one.clock.advanceMs(ms);
      twin.clock.advanceMs(ms);
      lease.headersReceived();
      lease.report({ tokens: 999, bytes: Number.NaN });
      for (const again of Object.values(ENDINGS)) if (!again.toString().includes("clock")) again(lease, one);
      lease.settle({ status: "unauthorized" });
      lease.settle({ status: "no such status" as StatusClass, usage: { tokens: Number.NaN } });
      same();
      expect(lease.settled).toBe(true);
    }
    expect(heard.filter(({ event }) => event === "leaseSettled" || event === "providerDead")).toEqual([]);
  });

  it("only the first headersReceived has an effect", () => {
    const one = table();
    const lease = one.take(ESTIMATE);
    one.clock.set(300);
    lease.headersReceived();
    one.clock.set(700);
    lease.headersReceived();
    lease.settle();
    one.clock.set(60_299);
    expect(one.counted("requests")).toBe(1);
    one.clock.set(60_300);
    expect(one.counted("requests")).toBe(0);
  });
});

describe("invalid settlements", () => {
  it.each(["nonsense", 42, 700, Number.NaN, null, {}, -1])(
    "a lease that is settled with status %s ends as cancelled, and a metric counts it",
    (status) => {
      const one = table();
      const heard = one.listen();
      const lease = one.take(ESTIMATE);
      expect(() => lease.settle({ status: status as StatusClass })).not.toThrow();
      expect(lease.settled).toBe(true);
      expect(counts(bound(one))).toEqual(AS_ESTIMATED);
      expect(one.limiter.inspect().providers[0]).toMatchObject({ health: 1, latencyMs: null });
      expect(one.limiter.metrics).toMatchObject({ invalidUsages: 1, leasesSettled: 1 });
      expect(heard.find(({ event }) => event === "leaseSettled")!.told).toMatchObject({ status: "cancelled" });
      expect(one.quota("concurrency").inFlight).toBe(1);
      one.clock.advanceMs(1_000);
      expect(one.quota("concurrency").inFlight).toBe(0);
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
    const one = table();
    one.limiter.observe({ provider: "a", usage: { requests: 0, tokens: 0 }, outcome: { status: "server_error" } });
    const before = one.limiter.providerHealth("a");
    const heard = one.listen();
    expect(() => one.take(ESTIMATE).settle(settlement as never)).not.toThrow();
    expect(heard.find(({ event }) => event === "leaseSettled")!.told).toMatchObject({ status: "cancelled" });
    expect(one.limiter.providerHealth("a")).toBe(before);
    expect(one.limiter.metrics).toMatchObject({ invalidUsages: 1, leasesSettled: 1 });
  });

  it.each([new Error("x"), Promise.resolve(1), new Map(), new Date(0)])(
    "a lease that is settled with the object %s ends as cancelled, and a metric counts it",
    (settlement) => {
      const one = table();
      const heard = one.listen();
      one.take(ESTIMATE).settle(settlement as never);
      expect(heard.find(({ event }) => event === "leaseSettled")!.told).toMatchObject({ status: "cancelled" });
      expect(one.limiter.metrics.invalidUsages).toBe(1);
    },
  );

  it("a settlement can be an instance of a class", () => {
    const one = table();
    class Ending {
      readonly status = 503;
    }
    one.take(ESTIMATE).settle(new Ending());
    one.take(ESTIMATE).settle(Object.create(null));
    expect(one.limiter.metrics.invalidUsages).toBe(0);
    expect(one.limiter.providerHealth("a")).toBeLessThan(1);
  });

  it("an unknown key beside a valid status is counted, and the status is used", () => {
    const one = table();
    const heard = one.listen();
    one.take(ESTIMATE).settle({ status: 429, retryAfter: 3 } as never);
    one.take(ESTIMATE).settle({ status: undefined, usage: undefined, reported: [] });
    expect(heard.filter(({ event }) => event === "leaseSettled").map(({ told }) => told)).toMatchObject([
      { status: "rate_limited" },
      { status: "success" },
    ]);
    expect(one.limiter.metrics.invalidUsages).toBe(1);
  });

  it.each([Number.NaN, -1, Number.POSITIVE_INFINITY, "12", null])(
    "the invalid amount %s is ignored and counted",
    (bad) => {
      const one = table();
      const settled = one.take(ESTIMATE);
      expect(() => settled.settle({ usage: { tokens: bad as number, bytes: 7 } })).not.toThrow();
      expect(counts(bound(one))).toEqual([1, 100, 7, 700]);
      expect(one.limiter.metrics.invalidUsages).toBe(1);
      const reported = one.take(ESTIMATE);
      expect(() => reported.report({ tokens: bad as number, bytes: 8 })).not.toThrow();
      expect(counts(bound(one))).toEqual([2, 200, 15, 1_400]);
      expect(one.limiter.metrics.invalidUsages).toBe(2);
    },
  );

  it("fractions of settled amounts are rounded up", () => {
    const one = table();
    const lease = one.take({ tokens: 10.2 });
    expect(one.counted("tokens")).toBe(11);
    lease.settle({ usage: { tokens: 20.01, bytes: 0.5 } });
    expect(one.counted("tokens")).toBe(21);
    expect(one.counted("bytes")).toBe(1);
  });

  it("an invalid latency or waiting time is ignored and counted", () => {
    const one = table();
    one.take().settle({ latencyMs: -5 });
    expect(one.limiter.metrics.invalidUsages).toBe(1);
    one.take().settle({ status: "rate_limited", retryAfterMs: Number.NaN });
    expect(one.limiter.metrics.invalidUsages).toBe(2);
    expect(one.limiter.providerInCooldown("a")).toBe(false);
  });
});

describe("cost", () => {
  const priced = () =>
    new Desk({
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
    const one = priced();
    const lease = one.take({ inputTokens: 100, outputTokens: 100 });
    expect(one.counted("cost_usd")).toBe(410);
    lease.settle({ usage: { inputTokens: 100, outputTokens: 10 } });
    expect(one.counted("cost_usd")).toBe(140);
  });

  it.each(GIVEN_BACK)("a request with %s costs nothing", (status) => {
    const one = priced();
    one.take({ inputTokens: 100, outputTokens: 100 }).settle({ status });
    expect(one.counted("cost_usd")).toBe(0);
  });

  it("a request is refused if its cost does not fit", () => {
    const one = priced();
    const [reason] = one.refusal({ inputTokens: 999_995, outputTokens: 0 }).reasons;
    expect(reason).toMatchObject({ reason: "too_large", dimension: "cost_usd", limit: 1e6, needed: 1_000_005 });
    one.take({ inputTokens: 999_990, outputTokens: 0 });
    expect(one.refusal({ inputTokens: 1 }).reasons[0]).toMatchObject({ reason: "quota", dimension: "cost_usd" });
  });
});
