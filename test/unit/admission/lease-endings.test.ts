// The table of lease endings: the requests and the other amounts that stay counted.
import { describe, expect, it } from "vitest";
import { GrateLimiter, type Lease, MockClock, type StatusClass, type Usage } from "../../../src/index.ts";
import {
  AS_ESTIMATED,
  boundCounted,
  COUNTED,
  counts,
  ESTIMATE,
  endingFixture,
  GIVEN_BACK,
} from "../../support/ending-fixture.ts";
import { chatFixture, type LimiterFixture } from "../../support/limiter-fixture.ts";

const TRUTH = { tokens: 130, bytes: 20, costMicroUsd: 900 };

const NOTHING = [0, 0, 0, 0];

const REQUEST_ALONE = [1, 0, 0, 0];

const AS_TRUE = [1, 130, 20, 900];

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
      expect(counts(boundCounted(fixture))).toEqual(AS_ESTIMATED);
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
    expect(counts(boundCounted(fixture))).toEqual([1, 300, 50, 700]);
    lease.headersReceived();
    lease.report({ tokens: 40, bytes: 60 });
    expect(counts(boundCounted(fixture))).toEqual([1, 40, 60, 700]);
    expect(lease.settled).toBe(false);
    lease.settle();
    expect(counts(boundCounted(fixture))).toEqual([1, 40, 60, 700]);
  });

  it("a cancelled lease keeps the last reported usage, and a released one returns it", () => {
    const cancelled = endingFixture();
    const first = cancelled.grant(ESTIMATE);
    first.report({ tokens: 222 });
    first.settle({ status: "cancelled" });
    expect(counts(boundCounted(cancelled))).toEqual([1, 222, 50, 700]);
    const limited = endingFixture();
    const second = limited.grant(ESTIMATE);
    second.report({ tokens: 222 });
    second.settle({ status: "rate_limited" });
    expect(counts(boundCounted(limited))).toEqual(REQUEST_ALONE);
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
    expect(counts(boundCounted(fixture))).toEqual(NOTHING);
    expect(fixture.limiter.forecast("a")!.map(({ used, inFlight }) => [used, inFlight])).toEqual(before);
    expect(fixture.quota("concurrency").inFlight).toBe(0);
    expect(fixture.limiter.inspect().providers[0]).toMatchObject({ health: 1, latencyMs: null, inFlight: 0 });
  });

  it("after grant + skewCapMs release keeps the window amounts and frees the place", () => {
    const fixture = endingFixture();
    const lease = fixture.grant(ESTIMATE);
    fixture.clock.advanceMs(1_001);
    lease.release();
    expect(counts(boundCounted(fixture))).toEqual(AS_ESTIMATED);
    expect(fixture.quota("concurrency").inFlight).toBe(0);
    fixture.clock.set(60_999);
    expect(counts(boundCounted(fixture))).toEqual(AS_ESTIMATED);
    fixture.clock.set(61_000);
    expect(counts(boundCounted(fixture)).slice(0, 3)).toEqual([0, 0, 0]);
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
      expect(counts(boundCounted(ended(status, TRUTH)))).toEqual(AS_TRUE);
    });

    it.each(COUNTED)("status %s counts the estimate if no usage is reported", (status) => {
      expect(counts(boundCounted(ended(status)))).toEqual(AS_ESTIMATED);
      expect(counts(boundCounted(ended(status, {})))).toEqual(AS_ESTIMATED);
    });

    it("a settled usage of 0 counts as 0", () => {
      expect(counts(boundCounted(ended("success", { tokens: 0, bytes: 0, costMicroUsd: 0 })))).toEqual(REQUEST_ALONE);
    });

    it("settle without a status means success", () => {
      const fixture = ended(undefined);
      expect(counts(boundCounted(fixture))).toEqual(AS_ESTIMATED);
      expect(fixture.limiter.inspect().providers[0]!.latencyMs).toBe(500);
      expect(fixture.limiter.metrics).toMatchObject({ leasesGranted: 1, leasesSettled: 1, leasesReleased: 0 });
    });
  });

  describe("settling with a refusal of the provider", () => {
    it.each(GIVEN_BACK)("status %s counts the request only", (status) => {
      expect(counts(boundCounted(ended(status)))).toEqual(REQUEST_ALONE);
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
    expect(counts(boundCounted(fixture))).toEqual(REQUEST_ALONE);
    lease.settle({ usage: TRUTH });
    expect(counts(boundCounted(fixture))).toEqual(AS_TRUE);
    fixture.clock.advanceMs(3_700_000);
    expect(counts(boundCounted(fixture))).toEqual(NOTHING);
  });

  it("a refused request without a reported number of requests keeps the number that was reserved", () => {
    const fixture = endingFixture();
    const lease = fixture.grant({ requests: 4, tokens: 10, costMicroUsd: 7 });
    if (headers) lease.headersReceived();
    lease.settle({ usage: { tokens: 7 } });
    expect(fixture.counted("requests")).toBe(4);
    expect(fixture.counted("tokens")).toBe(7);
  });

  it("the amounts of a refused request leave the window in time", () => {
    for (const status of [...COUNTED, ...GIVEN_BACK, "cancelled" as const]) {
      const fixture = ended(status, TRUTH);
      fixture.clock.advanceMs(61_000);
      expect(counts(boundCounted(fixture)).slice(0, 3), status).toEqual([0, 0, 0]);
      fixture.clock.advanceMs(3_600_000);
      expect(counts(boundCounted(fixture)), status).toEqual(NOTHING);
    }
  });
});

describe("cancellation, disposal, release after the headers, and expiry", () => {
  it.each(Object.entries(ABANDONED))("%s keeps the estimate", (_, end) => {
    const fixture = endingFixture(5_000);
    const lease = fixture.grant(ESTIMATE);
    fixture.clock.advanceMs(10);
    end(lease, fixture);
    expect(counts(boundCounted(fixture))).toEqual(AS_ESTIMATED);
    expect(lease.settled).toBe(true);
    fixture.clock.advanceMs(3_700_000);
    expect(counts(boundCounted(fixture))).toEqual(NOTHING);
  });

  it.each(Object.entries(ABANDONED))("%s keeps the reported usage", (_, end) => {
    const fixture = endingFixture(5_000);
    end(fixture.grant(ESTIMATE), fixture, TRUTH);
    expect(counts(boundCounted(fixture))).toEqual(AS_TRUE);
  });

  it.each(Object.entries(ABANDONED))("%s has no effect on health", (name, end) => {
    const fixture = endingFixture(5_000);
    for (const status of ["server_error", "server_error"] as const) {
      fixture.limiter.observe({ provider: "a", usage: { requests: 0 }, outcome: { status } });
    }
    const lease = fixture.grant(ESTIMATE);
    const twin = new GrateLimiter({ clock: new MockClock(), providers: [{ name: "a" }], capabilities: {} });
    for (const status of ["server_error", "server_error"] as const) {
      twin.observe({ provider: "a", usage: { costMicroUsd: 0 }, outcome: { status } });
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
    expect(counts(boundCounted(fixture))).toEqual(AS_ESTIMATED);
    {
      using lease = fixture.grant(ESTIMATE);
      lease.release();
    }
    expect(counts(boundCounted(fixture))).toEqual(AS_ESTIMATED);
    expect(() => {
      using _lease = fixture.grant(ESTIMATE);
      throw new TypeError("a typo");
    }).toThrow("a typo");
    expect(counts(boundCounted(fixture))).toEqual([2, 200, 100, 1_400]);
    expect(fixture.limiter.providerHealth("a")).toBe(1);
    expect(fixture.limiter.metrics).toMatchObject({ leasesGranted: 3, leasesSettled: 2, leasesReleased: 1 });
    fixture.clock.advanceMs(1_000);
    expect(fixture.quota("concurrency").inFlight).toBe(0);
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
    fixture.grant({ tokens: 3, costMicroUsd: 1 }).headersReceived();
    const lease = fixture.grant(ESTIMATE);
    const twin = endingFixture(5_000);
    twin.grant({ tokens: 3, costMicroUsd: 1 }).headersReceived();
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
