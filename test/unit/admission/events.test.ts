// Events of leases, and the metrics that count them.
import { describe, expect, it } from "vitest";
import type { Lease, LimiterEvents } from "../../../src/index.ts";
import { chatFixture, LimiterFixture } from "../../support/limiter-fixture.ts";

const LEASES = ["leaseGranted", "leaseSettled", "leaseExpired", "refused"] as const;

function leaseEvents(
  fixture: LimiterFixture,
): { event: string; data: { lease?: Lease } & { [key: string]: unknown } }[] {
  const all: { event: string; data: { lease?: Lease } & { [key: string]: unknown } }[] = [];
  for (const event of LEASES) fixture.limiter.on(event, (data) => void all.push({ event, data: { ...data } }));
  return all;
}

describe("leases that have expired or become due", () => {
  it("an observation without a capability also emits the events of due leases", () => {
    const fixture = chatFixture({}, { leaseTimeoutMs: 10 });
    const recorded = fixture.recordEvents();
    fixture.grant();
    fixture.clock.advanceMs(20);
    expect(() => fixture.limiter.observe({ provider: "x", outcome: { status: 200 } })).toThrow();
    expect(recorded.map(({ event }) => event)).toEqual(["leaseGranted", "leaseExpired"]);
  });
});

describe("lease events", () => {
  it("leaseGranted carries the lease and how long it waited", async () => {
    const fixture = chatFixture({ limits: { concurrency: 1 } });
    const all = leaseEvents(fixture);
    const lease = fixture.grant();
    const asked = fixture.acquire();
    await fixture.advance(1_234);
    lease.settle({ status: 503 });
    await fixture.advance(0);
    expect(all).toEqual([
      { event: "leaseGranted", data: { lease, waitedMs: 0 } },
      { event: "leaseSettled", data: { lease, status: "overloaded", latencyMs: 1_234 } },
      { event: "leaseGranted", data: { lease: asked.lease, waitedMs: 1_234 } },
    ]);
  });

  it("leaseSettled carries the status and the latency, measured or reported; a release emits no event", () => {
    const fixture = chatFixture();
    const all = leaseEvents(fixture);
    const leases = Array.from({ length: 5 }, () => fixture.grant());
    all.length = 0;
    fixture.clock.advanceMs(40);
    leases[0]!.settle();
    leases[1]!.settle({ status: 429, latencyMs: 7.5 });
    leases[2]!.settle({ status: "cancelled" });
    leases[3]![Symbol.dispose]();
    leases[4]!.release();
    expect(all.map(({ event, data }) => [event, data.lease, data["status"], data["latencyMs"]])).toEqual([
      ["leaseSettled", leases[0], "success", 40],
      ["leaseSettled", leases[1], "rate_limited", 7.5],
      ["leaseSettled", leases[2], "cancelled", 40],
      ["leaseSettled", leases[3], "cancelled", 40],
    ]);
  });

  it("leaseExpired is emitted once, by the first call that reads the limiter", () => {
    const fixture = chatFixture({ limits: { rpm: 9 } }, { leaseTimeoutMs: 100 });
    const all = leaseEvents(fixture);
    const lease = fixture.grant();
    fixture.clock.set(99);
    fixture.limiter.inspect();
    fixture.clock.set(100);
    expect(all).toHaveLength(1);
    fixture.limiter.inspect();
    fixture.limiter.inspect();
    lease.settle();
    expect(all.slice(1)).toEqual([{ event: "leaseExpired", data: { lease } }]);
    expect(fixture.limiter.metrics).toMatchObject({ leasesGranted: 1, leasesExpired: 1, leasesSettled: 0 });
  });

  it("refused carries the capability and the refusal", async () => {
    const fixture = chatFixture({ limits: { concurrency: 1 } });
    const all = leaseEvents(fixture);
    fixture.grant();
    all.length = 0;
    const refusal = fixture.refusal();
    expect(all).toEqual([{ event: "refused", data: { capability: "chat", refusal } }]);
    const asked = fixture.acquire({ maxWaitMs: 0 });
    const late = fixture.acquire({ maxWaitMs: 50 });
    await fixture.advance(60);
    expect([asked.state, late.state]).toEqual(["rejected", "rejected"]);
    expect(all.length).toBe(3);
    for (const { event, data } of all) {
      expect(event).toBe("refused");
      expect(data).toMatchObject({
        capability: "chat",
        refusal: { granted: false, reasons: [{ reason: "concurrency" }] },
      });
    }
    expect(fixture.limiter.metrics.refusals).toBe(3);
  });

  it("limitReached is emitted once if a reservation takes the remaining capacity", () => {
    const fixture = chatFixture({ limits: { rpm: 2, concurrency: 2 } });
    const reached: LimiterEvents["limitReached"][] = [];
    fixture.limiter.on("limitReached", (data) => void reached.push(data));
    const first = fixture.grant();
    expect(reached).toEqual([]);
    fixture.grant();
    const expected = [
      { provider: "a", dimension: "requests", window: "minute", pool: null },
      { provider: "a", dimension: "concurrency", window: null, pool: null },
    ];
    expect(reached).toEqual(expected);
    fixture.refusal();
    first.headersReceived();
    first.settle();
    expect(reached).toEqual(expected);
  });

  it("events are emitted after the call has completed its state, so a listener can call any method", async () => {
    const fixture = chatFixture({ limits: { concurrency: 2, rpm: 100 } });
    const seen: number[] = [];
    fixture.limiter.on("leaseGranted", ({ lease }) => {
      seen.push(fixture.quota("concurrency").inFlight);
      lease.settle();
    });
    fixture.limiter.on("leaseSettled", ({ lease }) => {
      expect(lease.settled).toBe(true);
      seen.push(fixture.quota("concurrency").inFlight);
      if (seen.length < 20) fixture.limiter.tryAcquire("chat");
    });
    fixture.grant();
    expect(seen.slice(0, 2)).toEqual([1, 0]);
    expect(fixture.quota("concurrency").inFlight).toBe(0);
  });

  it("a listener that throws or rejects does not disturb the limiter", async () => {
    const fixture = chatFixture({ limits: { concurrency: 1 } }, { leaseTimeoutMs: 5_000 });
    for (const event of LEASES) {
      fixture.limiter.on(event, () => {
        throw new Error("mine");
      });
      fixture.limiter.on(event, async () => Promise.reject(new Error("mine")));
    }
    const all = leaseEvents(fixture);
    const lease = fixture.grant();
    const line = [fixture.acquire(), fixture.acquire(), fixture.acquire({ maxWaitMs: 10 })];
    lease.settle();
    await fixture.advance(10);
    line[0]!.lease!.release();
    await fixture.advance(0);
    await fixture.advance(6_000);
    fixture.refusal({ exclude: ["a"] });
    fixture.limiter.inspect();
    expect(line.map(({ state }) => state)).toEqual(["granted", "granted", "rejected"]);
    expect(all.map(({ event }) => event)).toEqual([
      ...["leaseGranted", "leaseSettled", "leaseGranted", "refused", "leaseGranted", "leaseExpired", "refused"],
    ]);
    expect(fixture.counted("concurrency")).toBe(0);
  });

  it("a removed listener receives no further events", () => {
    const fixture = chatFixture();
    let count = 0;
    const off = fixture.limiter.on("leaseGranted", () => void count++);
    fixture.grant();
    off();
    fixture.grant();
    expect(count).toBe(1);
  });
});

describe("metrics", () => {
  it("metrics count every granted lease and how it ended", () => {
    const fixture = chatFixture({ limits: { rpm: 100 } }, { leaseTimeoutMs: 1_000 });
    const leases = Array.from({ length: 7 }, () => fixture.grant());
    leases[0]!.settle();
    leases[1]!.settle({ status: "cancelled" });
    leases[2]![Symbol.dispose]();
    leases[3]!.release();
    leases[4]!.settle({ status: "bad" as never, usage: { tokens: -1 } });
    fixture.refusal({ exclude: ["a"] });
    fixture.clock.advanceMs(1_000);
    fixture.limiter.inspect();
    expect(fixture.limiter.metrics).toMatchObject({
      ...{ leasesGranted: 7, leasesSettled: 4, leasesReleased: 1, leasesExpired: 2, refusals: 1, invalidUsages: 2 },
    });
    expect(fixture.limiter.inspect().metrics).toEqual(fixture.limiter.metrics);
  });
});

describe("inspect", () => {
  it("inspect returns waiters, the oldest lease and requests in flight as JSON-safe data", async () => {
    const fixture = new LimiterFixture({
      providers: [
        { name: "a", limits: { concurrency: 1 } },
        { name: "b", limits: { concurrency: 1 } },
      ],
      capabilities: { chat: ["a"], mail: ["b"] },
    });
    expect(fixture.limiter.inspect()).toMatchObject({ waiting: {}, oldestLeaseMs: null });
    fixture.grant();
    fixture.clock.advanceMs(500);
    fixture.grant({}, "mail");
    fixture.clock.advanceMs(20);
    for (const capability of ["chat", "mail", "mail"]) fixture.acquire({}, capability);
    const inspection = fixture.limiter.inspect();
    expect(inspection).toMatchObject({ waiting: { chat: 1, mail: 2 }, oldestLeaseMs: 520 });
    expect(inspection.providers.map(({ inFlight }) => inFlight)).toEqual([1, 1]);
    expect(JSON.parse(JSON.stringify(inspection))).toEqual(inspection);
    fixture.limiter.close();
    await fixture.advance(0);
    expect(fixture.limiter.inspect().waiting).toEqual({});
  });

  it("the public data of a lease never change after the grant", () => {
    const fixture = chatFixture({ limits: { tpm: 100 } });
    const lease = fixture.grant({ tokens: 7 });
    const before = JSON.stringify(lease.reserved);
    lease.report({ tokens: 50 });
    lease.settle({ usage: { tokens: 9 } });
    expect(JSON.stringify(lease.reserved)).toBe(before);
  });
});
