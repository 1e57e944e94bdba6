// Events of leases, and the metrics that count them.
import { describe, expect, it } from "vitest";
import type { Lease, LimiterEvents } from "../../../src/index.ts";
import { Desk, desk } from "../../support/limiter-fixture.ts";

const LEASES = ["leaseGranted", "leaseSettled", "leaseExpired", "refused"] as const;

function heard(one: Desk): { event: string; told: { lease?: Lease } & { [key: string]: unknown } }[] {
  const all: { event: string; told: { lease?: Lease } & { [key: string]: unknown } }[] = [];
  for (const event of LEASES) one.limiter.on(event, (told) => void all.push({ event, told: { ...told } }));
  return all;
}

describe("leases that have expired or become due", () => {
  it("an observation without a capability also emits the events of due leases", () => {
    const one = desk({}, { leaseTimeoutMs: 10 });
    const heard = one.listen();
    one.take();
    one.clock.advanceMs(20);
    expect(() => one.limiter.observe({ provider: "x", outcome: { status: 200 } })).toThrow();
    expect(heard.map(({ event }) => event)).toEqual(["leaseGranted", "leaseExpired"]);
  });
});

describe("lease events", () => {
  it("leaseGranted carries the lease and how long it waited", async () => {
    const one = desk({ limits: { concurrency: 1 } });
    const all = heard(one);
    const lease = one.take();
    const asked = one.ask();
    await one.later(1_234);
    lease.settle({ status: 503 });
    await one.later(0);
    expect(all).toEqual([
      { event: "leaseGranted", told: { lease, waitedMs: 0 } },
      { event: "leaseSettled", told: { lease, status: "overloaded", latencyMs: 1_234 } },
      { event: "leaseGranted", told: { lease: asked.lease, waitedMs: 1_234 } },
    ]);
  });

  it("leaseSettled carries the status and the latency, measured or reported; a release emits no event", () => {
    const one = desk();
    const all = heard(one);
    const leases = Array.from({ length: 5 }, () => one.take());
    all.length = 0;
    one.clock.advanceMs(40);
    leases[0]!.settle();
    leases[1]!.settle({ status: 429, latencyMs: 7.5 });
    leases[2]!.settle({ status: "cancelled" });
    leases[3]![Symbol.dispose]();
    leases[4]!.release();
    expect(all.map(({ event, told }) => [event, told.lease, told["status"], told["latencyMs"]])).toEqual([
      ["leaseSettled", leases[0], "success", 40],
      ["leaseSettled", leases[1], "rate_limited", 7.5],
      ["leaseSettled", leases[2], "cancelled", 40],
      ["leaseSettled", leases[3], "cancelled", 40],
    ]);
  });

  it("leaseExpired is emitted once, by the first call that reads the limiter", () => {
    const one = desk({ limits: { rpm: 9 } }, { leaseTimeoutMs: 100 });
    const all = heard(one);
    const lease = one.take();
    one.clock.set(99);
    one.limiter.inspect();
    one.clock.set(100);
    expect(all).toHaveLength(1);
    one.limiter.inspect();
    one.limiter.inspect();
    lease.settle();
    expect(all.slice(1)).toEqual([{ event: "leaseExpired", told: { lease } }]);
    expect(one.limiter.metrics).toMatchObject({ leasesGranted: 1, leasesExpired: 1, leasesSettled: 0 });
  });

  it("refused carries the capability and the refusal", async () => {
    const one = desk({ limits: { concurrency: 1 } });
    const all = heard(one);
    one.take();
    all.length = 0;
    const refusal = one.refusal();
    expect(all).toEqual([{ event: "refused", told: { capability: "chat", refusal } }]);
    const asked = one.ask({ maxWaitMs: 0 });
    const late = one.ask({ maxWaitMs: 50 });
    await one.later(60);
    expect([asked.state, late.state]).toEqual(["rejected", "rejected"]);
    expect(all.length).toBe(3);
    for (const { event, told } of all) {
      expect(event).toBe("refused");
      expect(told).toMatchObject({
        capability: "chat",
        refusal: { granted: false, reasons: [{ reason: "concurrency" }] },
      });
    }
    expect(one.limiter.metrics.refusals).toBe(3);
  });

  it("limitReached is emitted once if a reservation takes the remaining capacity", () => {
    const one = desk({ limits: { rpm: 2, concurrency: 2 } });
    const reached: LimiterEvents["limitReached"][] = [];
    one.limiter.on("limitReached", (told) => void reached.push(told));
    const first = one.take();
    expect(reached).toEqual([]);
    one.take();
    const expected = [
      { provider: "a", dimension: "requests", window: "minute", pool: null },
      { provider: "a", dimension: "concurrency", window: null, pool: null },
    ];
    expect(reached).toEqual(expected);
    one.refusal();
    first.headersReceived();
    first.settle();
    expect(reached).toEqual(expected);
  });

  it("events are emitted after the call has completed its state, so a listener can call any method", async () => {
    const one = desk({ limits: { concurrency: 2, rpm: 100 } });
    const seen: number[] = [];
    one.limiter.on("leaseGranted", ({ lease }) => {
      seen.push(one.quota("concurrency").inFlight);
      lease.settle();
    });
    one.limiter.on("leaseSettled", ({ lease }) => {
      expect(lease.settled).toBe(true);
      seen.push(one.quota("concurrency").inFlight);
      if (seen.length < 20) one.limiter.tryAcquire("chat");
    });
    one.take();
    expect(seen.slice(0, 2)).toEqual([1, 0]);
    expect(one.quota("concurrency").inFlight).toBe(0);
  });

  it("a listener that throws or rejects does not disturb the limiter", async () => {
    const one = desk({ limits: { concurrency: 1 } }, { leaseTimeoutMs: 5_000 });
    for (const event of LEASES) {
      one.limiter.on(event, () => {
        throw new Error("mine");
      });
      one.limiter.on(event, async () => Promise.reject(new Error("mine")));
    }
    const all = heard(one);
    const lease = one.take();
    const line = [one.ask(), one.ask(), one.ask({ maxWaitMs: 10 })];
    lease.settle();
    await one.later(10);
    line[0]!.lease!.release();
    await one.later(0);
    await one.later(6_000);
    one.refusal({ exclude: ["a"] });
    one.limiter.inspect();
    expect(line.map(({ state }) => state)).toEqual(["granted", "granted", "rejected"]);
    expect(all.map(({ event }) => event)).toEqual([
      ...["leaseGranted", "leaseSettled", "leaseGranted", "refused", "leaseGranted", "leaseExpired", "refused"],
    ]);
    expect(one.counted("concurrency")).toBe(0);
  });

  it("a removed listener receives no further events", () => {
    const one = desk();
    let count = 0;
    const off = one.limiter.on("leaseGranted", () => void count++);
    one.take();
    off();
    one.take();
    expect(count).toBe(1);
  });
});

describe("metrics", () => {
  it("metrics count every granted lease and how it ended", () => {
    const one = desk({ limits: { rpm: 100 } }, { leaseTimeoutMs: 1_000 });
    const leases = Array.from({ length: 7 }, () => one.take());
    leases[0]!.settle();
    leases[1]!.settle({ status: "cancelled" });
    leases[2]![Symbol.dispose]();
    leases[3]!.release();
    leases[4]!.settle({ status: "bad" as never, usage: { tokens: -1 } });
    one.refusal({ exclude: ["a"] });
    one.clock.advanceMs(1_000);
    one.limiter.inspect();
    expect(one.limiter.metrics).toMatchObject({
      ...{ leasesGranted: 7, leasesSettled: 4, leasesReleased: 1, leasesExpired: 2, refusals: 1, invalidUsages: 2 },
    });
    expect(one.limiter.inspect().metrics).toEqual(one.limiter.metrics);
  });
});

describe("inspect", () => {
  it("inspect returns waiters, the oldest lease and requests in flight as JSON-safe data", async () => {
    const one = new Desk({
      providers: [
        { name: "a", limits: { concurrency: 1 } },
        { name: "b", limits: { concurrency: 1 } },
      ],
      capabilities: { chat: ["a"], mail: ["b"] },
    });
    expect(one.limiter.inspect()).toMatchObject({ waiting: {}, oldestLeaseMs: null });
    one.take();
    one.clock.advanceMs(500);
    one.take({}, "mail");
    one.clock.advanceMs(20);
    for (const capability of ["chat", "mail", "mail"]) one.ask({}, capability);
    const inspection = one.limiter.inspect();
    expect(inspection).toMatchObject({ waiting: { chat: 1, mail: 2 }, oldestLeaseMs: 520 });
    expect(inspection.providers.map(({ inFlight }) => inFlight)).toEqual([1, 1]);
    expect(JSON.parse(JSON.stringify(inspection))).toEqual(inspection);
    one.limiter.close();
    await one.later(0);
    expect(one.limiter.inspect().waiting).toEqual({});
  });

  it("the public data of a lease never change after the grant", () => {
    const one = desk({ limits: { tpm: 100 } });
    const lease = one.take({ tokens: 7 });
    const before = JSON.stringify(lease.reserved);
    lease.report({ tokens: 50 });
    lease.settle({ usage: { tokens: 9 } });
    expect(JSON.stringify(lease.reserved)).toBe(before);
  });
});
