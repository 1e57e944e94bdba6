// The table of endings: what stays counted in requests and in other amounts, and what health learns.
import { describe, expect, it } from "vitest";
import { GrateLimiter, type Lease, MockClock, type StatusClass, type Usage } from "../../src/index.ts";
import { Desk, desk } from "./desk.ts";

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

/** What teaches nothing and keeps what the server may have counted. */
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

describe("while it is open, a lease counts what was asked for", () => {
  it.each([["at once", false] as const, ["after the headers", true] as const])("%s", (_, headers) => {
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
  });

  it("a report replaces the estimate, and the next one that, each amount on its own", () => {
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

  it("the last report stands when the lease is cancelled, and falls when it is given back", () => {
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

describe("row: release() before the request was sent", () => {
  it("gives everything back", () => {
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

  it("later than grant + skewCapMs the windows keep it, the place is free", () => {
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

  it("as late as may be where the cap is infinite", () => {
    const one = desk({ limits: { rpm: 10 } }, { skewCapMs: Number.POSITIVE_INFINITY });
    const lease = one.take();
    one.clock.advanceMs(500_000);
    expect(one.counted("requests")).toBe(1);
    lease.release();
    expect(one.counted("requests")).toBe(0);
  });
});

describe.each([false, true])("headers before the end: %s", (headers) => {
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

  describe("row: settle with an answer", () => {
    it.each(COUNTED)("%s counts the request and the truth", (status) => {
      expect(counts(bound(ended(status, TRUTH)))).toEqual(AS_TRUE);
    });

    it.each(COUNTED)("%s counts the estimate where nothing is told", (status) => {
      expect(counts(bound(ended(status)))).toEqual(AS_ESTIMATED);
      expect(counts(bound(ended(status, {})))).toEqual(AS_ESTIMATED);
    });

    it("a truth of 0 is the truth", () => {
      expect(counts(bound(ended("success", { tokens: 0, bytes: 0, costMicroUsd: 0 })))).toEqual(REQUEST_ALONE);
    });

    it("success is the default", () => {
      const one = ended(undefined);
      expect(counts(bound(one))).toEqual(AS_ESTIMATED);
      expect(one.limiter.inspect().providers[0]!.latencyMs).toBe(500);
      expect(one.limiter.metrics).toMatchObject({ leasesGranted: 1, leasesSettled: 1, leasesReleased: 0 });
    });
  });

  describe("row: settle with a refusal of the provider", () => {
    it.each(GIVEN_BACK)("%s counts the request alone", (status) => {
      expect(counts(bound(ended(status)))).toEqual(REQUEST_ALONE);
    });

    it.each(GIVEN_BACK)("%s costs something only where that is told", (status) => {
      const one = ended(status, { costMicroUsd: 44 });
      expect(one.counted("cost_usd")).toBe(44);
      expect(one.counted("bytes")).toBe(0);
    });
  });

  it("frees the concurrency place at once, but after a timeout a second later", () => {
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

  it("an amount that was estimated as 0 and is told counts", () => {
    const one = table();
    const lease = one.take({ tokens: 0, bytes: 0, costMicroUsd: 0 });
    if (headers) lease.headersReceived();
    expect(counts(bound(one))).toEqual(REQUEST_ALONE);
    lease.settle({ usage: TRUTH });
    expect(counts(bound(one))).toEqual(AS_TRUE);
    one.clock.advanceMs(3_700_000);
    expect(counts(bound(one))).toEqual(NOTHING);
  });

  it("requests that are not told stay as they were asked for", () => {
    const one = table();
    const lease = one.take({ requests: 4, tokens: 10 });
    if (headers) lease.headersReceived();
    lease.settle({ usage: { tokens: 7 } });
    expect(one.counted("requests")).toBe(4);
    expect(one.counted("tokens")).toBe(7);
  });

  it("everything goes in its time", () => {
    for (const status of [...COUNTED, ...GIVEN_BACK, "cancelled" as const]) {
      const one = ended(status, TRUTH);
      one.clock.advanceMs(61_000);
      expect(counts(bound(one)).slice(0, 3), status).toEqual([0, 0, 0]);
      one.clock.advanceMs(3_600_000);
      expect(counts(bound(one)), status).toEqual(NOTHING);
    }
  });
});

describe("row: cancelled, dispose, release after headersReceived, expiry", () => {
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

  it.each(Object.entries(ABANDONED))("%s keeps the truth where it was told", (_, end) => {
    const one = table(5_000);
    end(one.take(ESTIMATE), one, TRUTH);
    expect(counts(bound(one))).toEqual(AS_TRUE);
  });

  it.each(Object.entries(ABANDONED))("%s teaches nothing", (name, end) => {
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
    // Nor does it end the streak: the third failure starts the cooldown.
    one.limiter.observe({ provider: "a", usage: { requests: 0 }, outcome: { status: "server_error" } });
    expect(one.limiter.providerInCooldown("a")).toBe(true);
  });

  it.each(Object.entries(ABANDONED))("%s frees the place a second later", (name, end) => {
    const one = table(5_000);
    end(one.take(ESTIMATE), one);
    // What is read at the instant of the expiry is read at its end.
    expect(one.quota("concurrency").inFlight, name).toBe(1);
    one.clock.advanceMs(999);
    expect(one.quota("concurrency").inFlight, name).toBe(1);
    one.clock.advanceMs(1);
    expect(one.quota("concurrency").inFlight, name).toBe(0);
  });

  it("`using` ends what nobody settled, and leaves alone what was", () => {
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

describe("what health learns", () => {
  const STATUSES = [...COUNTED, ...GIVEN_BACK, "cancelled" as const, 200, 404, 429, 402, 500, 529, 504, 403, 401];

  it.each(STATUSES)("of a settled lease with %s is what it learns of an observation", (status) => {
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

  it("of an exhausted quota whose reset is known: a cooldown until then", () => {
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

  it("a latency that is told counts, a measured one else; a retryAfterMs starts a cooldown", () => {
    const one = table();
    const told = one.take();
    one.clock.advanceMs(250);
    told.settle({ latencyMs: 12.5 });
    expect(one.limiter.inspect().providers[0]!.latencyMs).toBe(12.5);
    one.take().settle({ status: "rate_limited", retryAfterMs: 7_000 });
    expect(one.limiter.inspect().providers[0]!.cooldownMs).toBe(7_000);
  });
});

describe("the first ending decides", () => {
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
    "expiry that nobody has read yet": (_, one) => one.clock.set(5_000),
  };

  it.each(Object.entries(ENDINGS))("after %s nothing that the lease can do does anything", (_, end) => {
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

  it("the first headersReceived decides, later ones do nothing", () => {
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

describe("what is settled badly", () => {
  it.each(["nonsense", 42, 700, Number.NaN, null, {}, -1])("status %s ends as cancelled and is counted", (status) => {
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
  });

  it.each([
    429,
    "rate_limited",
    null,
    [],
    { code: 429 },
    { statusCode: 429 },
    { outcome: { status: 429 } },
    { ok: true },
  ])("a settlement that is none, %j, ends as cancelled and is counted", (settlement) => {
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
    "an object that is no settlement, %s, ends as cancelled and is counted",
    (settlement) => {
      const one = table();
      const heard = one.listen();
      one.take(ESTIMATE).settle(settlement as never);
      expect(heard.find(({ event }) => event === "leaseSettled")!.told).toMatchObject({ status: "cancelled" });
      expect(one.limiter.metrics.invalidUsages).toBe(1);
    },
  );

  it("a settlement of a class of one's own is one", () => {
    const one = table();
    class Ending {
      readonly status = 503;
    }
    one.take(ESTIMATE).settle(new Ending());
    one.take(ESTIMATE).settle(Object.create(null));
    expect(one.limiter.metrics.invalidUsages).toBe(0);
    expect(one.limiter.providerHealth("a")).toBeLessThan(1);
  });

  it("a key that is none beside a status is counted, and the status holds", () => {
    const one = table();
    const heard = one.listen();
    one.take(ESTIMATE).settle({ status: 429, retryAfter: 3 } as never);
    one.take(ESTIMATE).settle({ status: undefined, usage: undefined });
    one.take(ESTIMATE).settle({ status: undefined, usage: undefined, reported: [] } as never);
    expect(heard.filter(({ event }) => event === "leaseSettled").map(({ told }) => told)).toMatchObject([
      { status: "rate_limited" },
      { status: "success" },
      { status: "cancelled" },
    ]);
    expect(one.limiter.metrics.invalidUsages).toBe(2);
  });

  it.each([Number.NaN, -1, Number.POSITIVE_INFINITY, "12", null])("amount %s is ignored and counted", (bad) => {
    const one = table();
    const settled = one.take(ESTIMATE);
    expect(() => settled.settle({ usage: { tokens: bad as number, bytes: 7 } })).not.toThrow();
    expect(counts(bound(one))).toEqual([1, 100, 7, 700]);
    expect(one.limiter.metrics.invalidUsages).toBe(1);
    const reported = one.take(ESTIMATE);
    expect(() => reported.report({ tokens: bad as number, bytes: 8 })).not.toThrow();
    expect(counts(bound(one))).toEqual([2, 200, 15, 1_400]);
    expect(one.limiter.metrics.invalidUsages).toBe(2);
  });

  it("fractions round up", () => {
    const one = table();
    const lease = one.take({ tokens: 10.2 });
    expect(one.counted("tokens")).toBe(11);
    lease.settle({ usage: { tokens: 20.01, bytes: 0.5 } });
    expect(one.counted("tokens")).toBe(21);
    expect(one.counted("bytes")).toBe(1);
  });

  it("a latency or a waiting time that is none is left out and counted", () => {
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

  it("is reserved from the price, and settled from the price and the tokens that are told", () => {
    const one = priced();
    const lease = one.take({ inputTokens: 100, outputTokens: 100 });
    expect(one.counted("cost_usd")).toBe(410);
    lease.settle({ usage: { inputTokens: 100, outputTokens: 10 } });
    expect(one.counted("cost_usd")).toBe(140);
  });

  it.each(GIVEN_BACK)("of %s is nothing", (status) => {
    const one = priced();
    one.take({ inputTokens: 100, outputTokens: 100 }).settle({ status });
    expect(one.counted("cost_usd")).toBe(0);
  });

  it("is refused where it does not fit", () => {
    const one = priced();
    const [reason] = one.refusal({ inputTokens: 999_995, outputTokens: 0 }).reasons;
    expect(reason).toMatchObject({ reason: "too_large", dimension: "cost_usd", limit: 1e6, needed: 1_000_005 });
    one.take({ inputTokens: 999_990, outputTokens: 0 });
    expect(one.refusal({ inputTokens: 1 }).reasons[0]).toMatchObject({ reason: "quota", dimension: "cost_usd" });
  });
});
