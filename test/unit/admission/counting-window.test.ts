// How long a lease counts in a sliding window, and when its concurrency place is free. A lease must count until the
// server has certainly stopped counting the request.
import { describe, expect, it } from "vitest";
import type { Lease } from "../../../src/index.ts";
import {
  disposeLease,
  expectCountedUntil,
  SKEW_CAP_MS,
  settleAsCancelled,
  settleAsRateLimited,
  settleAsTimeout,
} from "../../support/counting-fixture.ts";
import { chatFixture, type LimiterFixture } from "../../support/limiter-fixture.ts";

const MINUTE = 60_000;

interface Case {
  readonly name: string;
  readonly headersAt?: number;
  readonly end?: { readonly at: number; readonly by: (lease: Lease) => void };
  /** End of the count with the default cap and with Infinity. null: the lease is still open. */
  readonly stamp: number;
  readonly provable: number | null;
}

const success = (lease: Lease) => lease.settle();

const CASES: readonly Case[] = [
  { name: "headers in time", headersAt: 400, end: { at: 9_000, by: success }, stamp: 400, provable: 400 },
  { name: "headers, never ended", headersAt: 400, stamp: 400, provable: 400 },
  { name: "settled without headers", end: { at: 700, by: success }, stamp: 700, provable: 700 },
  { name: "refused without headers", end: { at: 700, by: settleAsRateLimited }, stamp: 700, provable: 700 },
  { name: "settled late without headers", end: { at: 5_000, by: success }, stamp: SKEW_CAP_MS, provable: 5_000 },
  { name: "headers late", headersAt: 3_000, end: { at: 5_000, by: success }, stamp: SKEW_CAP_MS, provable: 3_000 },
  { name: "neither headers nor end", stamp: SKEW_CAP_MS, provable: null },
  {
    name: "timeout early, no headers",
    end: { at: 300, by: settleAsTimeout },
    stamp: SKEW_CAP_MS,
    provable: SKEW_CAP_MS,
  },
  {
    name: "cancelled early, no headers",
    end: { at: 300, by: settleAsCancelled },
    stamp: SKEW_CAP_MS,
    provable: SKEW_CAP_MS,
  },
  { name: "disposed early, no headers", end: { at: 300, by: disposeLease }, stamp: SKEW_CAP_MS, provable: SKEW_CAP_MS },
  { name: "timeout late, no headers", end: { at: 8_000, by: settleAsTimeout }, stamp: SKEW_CAP_MS, provable: 8_000 },
  { name: "disposed late, no headers", end: { at: 8_000, by: disposeLease }, stamp: SKEW_CAP_MS, provable: 8_000 },
  { name: "timeout after headers", headersAt: 200, end: { at: 300, by: settleAsTimeout }, stamp: 200, provable: 200 },
  {
    name: "cancelled after headers",
    headersAt: 200,
    end: { at: 9_000, by: settleAsCancelled },
    stamp: 200,
    provable: 200,
  },
  { name: "headers and end together", headersAt: 0, end: { at: 0, by: success }, stamp: 0, provable: 0 },
];

/** Runs with and without reads in between, because a value that is computed on read must not depend on reads. */
describe.each([false, true])("with reads in between: %s", (isRead) => {
  function played(one: Case, skewCapMs: number): LimiterFixture {
    const at = chatFixture({ limits: { rpm: 10, tpm: 1_000 } }, { skewCapMs, leaseTimeoutMs: 1e9 });
    const lease = at.grant({ tokens: 5 });
    const look = () => {
      if (!isRead) return;
      expect(at.counted("requests")).toBe(1);
      expect(at.counted("tokens")).toBe(one.end?.by === settleAsRateLimited && lease.settled ? 0 : 5);
    };
    if (one.headersAt !== undefined) {
      at.clock.set(one.headersAt);
      look();
      lease.headersReceived();
      look();
    }
    if (one.end !== undefined) {
      at.clock.set(one.end.at);
      look();
      one.end.by(lease);
      look();
    }
    return at;
  }

  it.each(CASES)("$name: the amounts count until one window after $stamp", (one) => {
    const at = played(one, SKEW_CAP_MS);
    expectCountedUntil(at, one.stamp + MINUTE);
    expect(at.counted("tokens")).toBe(0);
  });

  it.each(CASES)("$name with skewCapMs Infinity: the amounts count until one window after $provable", (one) => {
    const at = played(one, Number.POSITIVE_INFINITY);
    if (one.provable !== null) return expectCountedUntil(at, one.provable + MINUTE);
    at.clock.set(500_000);
    expect(at.counted("requests")).toBe(1);
    return undefined;
  });

  it.each(CASES)("$name with skewCapMs 0: the amounts count until one window after the grant", (one) => {
    expectCountedUntil(played(one, 0), MINUTE);
  });
});

describe("lease expiry", () => {
  it("an expired lease without response headers counts until one window after grant + skewCapMs", () => {
    const fixture = chatFixture({ limits: { rpm: 10 } }, { leaseTimeoutMs: 400 });
    fixture.grant();
    fixture.clock.set(400);
    expect(fixture.counted("requests")).toBe(1);
    expectCountedUntil(fixture, MINUTE + SKEW_CAP_MS);
  });

  it("with an infinite cap an expired lease counts until one window after its expiry, or after grant + 1 s if that is later", () => {
    const late = chatFixture({ limits: { rpm: 10 } }, { leaseTimeoutMs: 30_000, skewCapMs: Number.POSITIVE_INFINITY });
    late.grant();
    expectCountedUntil(late, MINUTE + 30_000);
    const early = chatFixture({ limits: { rpm: 10 } }, { leaseTimeoutMs: 400, skewCapMs: Number.POSITIVE_INFINITY });
    early.grant();
    expectCountedUntil(early, MINUTE + 1_000);
  });

  it("expiry is computed on read: the lease is open just before the instant and expired at it, without a timer", () => {
    const fixture = chatFixture({ limits: { rpm: 10, concurrency: 1 } }, { leaseTimeoutMs: 5_000 });
    const lease = fixture.grant();
    expect(fixture.limiter.inspect().oldestLeaseMs).toBe(0);
    fixture.clock.set(4_999.5);
    expect(fixture.limiter.inspect()).toMatchObject({ oldestLeaseMs: 4_999.5, metrics: { leasesExpired: 0 } });
    expect(lease.settled).toBe(false);
    expect(fixture.clock.asked).toBe(0);
    fixture.clock.set(5_000);
    expect(fixture.limiter.inspect()).toMatchObject({ oldestLeaseMs: null, metrics: { leasesExpired: 1 } });
    expect(lease.settled).toBe(true);
    expect(fixture.clock.asked).toBe(0);
    fixture.clock.set(6_000);
    expect(fixture.quota("concurrency").inFlight).toBe(0);
  });

  it("a lease expires at its due instant, however late the limiter reads it", () => {
    const fixture = chatFixture({ limits: { rpm: 10, concurrency: 1 } }, { leaseTimeoutMs: 5_000 });
    fixture.grant();
    fixture.clock.set(6_000);
    expect(fixture.quota("concurrency").inFlight).toBe(0);
    expect(fixture.limiter.metrics.leasesExpired).toBe(1);
  });

  it("a lease expires after the leaseTimeoutMs that acquire received", async () => {
    const fixture = chatFixture({ limits: { concurrency: 2 } });
    const short = fixture.acquire({ leaseTimeoutMs: 100 });
    const long = fixture.acquire();
    await fixture.advance(100);
    fixture.limiter.inspect();
    expect([short.lease!.settled, long.lease!.settled]).toEqual([true, false]);
    await fixture.advance(599_900);
    fixture.limiter.inspect();
    expect(long.lease!.settled).toBe(true);
  });
});

describe("the order in which leases start to count", () => {
  it("older leases without response headers start to count first, at grant + skewCapMs", () => {
    const fixture = chatFixture({ limits: { rpm: 10 } });
    fixture.grant();
    fixture.clock.set(600);
    const second = fixture.grant();
    fixture.clock.set(1_500);
    // The first read since the grants: the first lease starts at 1000, before the second starts at 1500.
    second.headersReceived();
    fixture.clock.set(60_999);
    expect(fixture.counted("requests")).toBe(2);
    fixture.clock.set(61_000);
    expect(fixture.counted("requests")).toBe(1);
    fixture.clock.set(61_499);
    expect(fixture.counted("requests")).toBe(1);
    fixture.clock.set(61_500);
    expect(fixture.counted("requests")).toBe(0);
  });

  it("many leases that are not read expire one after the other", () => {
    const fixture = chatFixture({ limits: { rpm: 10 } });
    for (let i = 0; i < 10; i++) {
      fixture.clock.set(i * 5_000);
      fixture.grant();
    }
    expect(fixture.hasCapacity()).toBe(false);
    for (let i = 0; i < 10; i++) {
      fixture.clock.set(i * 5_000 + 60_999);
      expect(fixture.counted("requests")).toBe(10 - i);
      fixture.clock.set(i * 5_000 + 61_000);
      expect(fixture.counted("requests")).toBe(9 - i);
    }
  });

  it("an observation counts when it arrives, after everything that was due earlier", () => {
    const fixture = chatFixture({ limits: { rpm: 10 } });
    fixture.grant();
    fixture.clock.set(2_000);
    fixture.limiter.observe({ provider: "a", outcome: { status: "success" } });
    fixture.clock.set(61_000);
    expect(fixture.counted("requests")).toBe(1);
    fixture.clock.set(62_000);
    expect(fixture.counted("requests")).toBe(0);
  });
});

describe("concurrency places", () => {
  it.each([
    [1_000, 1_000],
    [200, 200],
    [0, 0],
    [30_000, 1_000],
    [Number.POSITIVE_INFINITY, 1_000],
  ])("with skewCapMs %s a place is free %s ms after the end of an abandoned request", (skewCapMs, heldMs) => {
    for (const end of [settleAsTimeout, settleAsCancelled, disposeLease]) {
      const fixture = chatFixture({ limits: { concurrency: 1 } }, { skewCapMs });
      const lease = fixture.grant();
      fixture.clock.advanceMs(40);
      end(lease);
      if (heldMs > 0) {
        expect(fixture.quota("concurrency")).toMatchObject({ inFlight: 1, remaining: 0 });
        expect(fixture.refusal().reasons).toEqual([
          expect.objectContaining({ reason: "concurrency", retryAfterMs: heldMs, limit: 1, remaining: 0, needed: 1 }),
        ]);
        fixture.clock.advanceMs(heldMs - 1);
        expect(fixture.refusal().retryAfterMs).toBe(1);
        fixture.clock.advanceMs(1);
      }
      expect(fixture.quota("concurrency")).toMatchObject({ inFlight: 0, remaining: 1 });
      expect(fixture.hasCapacity()).toBe(true);
    }
  });

  it("places of an expired lease stay in use for as long as those of an abandoned one", () => {
    const fixture = chatFixture({ limits: { concurrency: 1 } }, { leaseTimeoutMs: 5_000 });
    fixture.grant();
    expect(fixture.refusal()).toMatchObject({ retryAfterMs: null, retryAfterSeconds: null });
    fixture.clock.set(5_000);
    expect(fixture.refusal()).toMatchObject({ retryAfterMs: 1_000, retryAfterSeconds: 1 });
    fixture.clock.set(6_000);
    expect(fixture.hasCapacity()).toBe(true);
  });

  it.each(["success", "client_error", "server_error", "overloaded", "rate_limited", "forbidden"] as const)(
    "places are free immediately after %s and after release",
    (status) => {
      const fixture = chatFixture({ limits: { concurrency: 1 }, cooldownSeconds: 0 });
      fixture.grant().settle({ status });
      expect(fixture.quota("concurrency").inFlight).toBe(0);
      fixture.grant().release();
      expect(fixture.quota("concurrency").inFlight).toBe(0);
    },
  );

  it("concurrency places use no window capacity, and windows use no concurrency places", () => {
    const fixture = chatFixture({ limits: { concurrency: 2, rpm: 3 } });
    fixture.grant().headersReceived();
    expect(fixture.quota("requests")).toMatchObject({ used: 1, inFlight: 0, remaining: 2 });
    expect(fixture.quota("concurrency")).toMatchObject({ used: 0, inFlight: 1, remaining: 1 });
  });
});
