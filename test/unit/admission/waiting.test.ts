import { describe, expect, it, vi } from "vitest";
import { GrateLimiter, NoAvailableProviders, RealClock } from "../../../src/index.ts";
import {
  chatFixture,
  flushPromises,
  LimiterFixture,
  occupiedFixture,
  rejection,
} from "../../support/limiter-fixture.ts";

describe("the deadline", () => {
  it("waiting ends at the deadline with timed_out, a reason per provider, and a known time", async () => {
    const fixture = new LimiterFixture({
      providers: [
        { name: "a", limits: { concurrency: 1 } },
        { name: "b", limits: { rpm: 1 } },
      ],
      capabilities: { chat: ["a", "b"] },
    });
    fixture.grant({ only: ["a"] });
    fixture.grant({ only: ["b"] }).settle();
    const asked = fixture.acquire({ maxWaitMs: 5_000 });
    await fixture.advanceTo(4_999);
    expect(asked.state).toBe("waiting");
    await fixture.advanceTo(5_000);
    const error = rejection(asked);
    expect(error).toMatchObject({
      ...{ kind: "timed_out", code: "no_available_providers", capability: "chat", attempts: [] },
      ...{ retryAfterMs: 55_000, retryAfterSeconds: 55 },
    });
    expect(error.reasons).toMatchObject([
      { provider: "a", reason: "concurrency", retryAfterMs: null },
      { provider: "b", reason: "quota", retryAfterMs: 55_000 },
    ]);
    expect(fixture.limiter.inspect().waiting).toEqual({});
    expect(fixture.clock.outstanding).toBe(0);
  });

  it("all waiters with the same deadline are rejected with timed_out", async () => {
    const { fixture } = occupiedFixture();
    const asked = Array.from({ length: 3 }, () => fixture.acquire({ maxWaitMs: 50 }));
    await fixture.advance(50);
    expect(asked.map((each) => rejection(each).kind)).toEqual(["timed_out", "timed_out", "timed_out"]);
  });

  it("the deadline is 60 s by default or as `defaults` or the call state; 0 never waits and Infinity always waits", async () => {
    const { fixture } = occupiedFixture();
    const asked = [
      fixture.acquire(),
      fixture.acquire({ maxWaitMs: 0 }),
      fixture.acquire({ maxWaitMs: 10.5 }),
      fixture.acquire({ maxWaitMs: Infinity }),
    ];
    await fixture.advance(0);
    expect(asked[1]!).toMatchObject({ state: "rejected", atMs: 0 });
    await fixture.advanceTo(10);
    expect(asked[2]!.state).toBe("waiting");
    await fixture.advanceTo(11.5);
    expect(asked[2]!.state).toBe("rejected");
    await fixture.advanceTo(59_999);
    expect(asked[0]!.state).toBe("waiting");
    await fixture.advanceTo(60_000);
    expect(asked[0]!.state).toBe("rejected");
    await fixture.advanceTo(590_000);
    expect(asked[3]!.state).toBe("waiting");
    const own = chatFixture({ limits: { concurrency: 1 } }, { defaults: { maxWaitMs: 300 } });
    own.grant();
    const late = own.acquire();
    await own.advanceTo(300);
    expect(rejection(late).kind).toBe("timed_out");
  });

  it("at the deadline itself a waiter is either granted or rejected, and in both cases stops waiting", async () => {
    const fixture = chatFixture({ limits: { rpm: 1 } });
    fixture.grant().settle();
    const asked = fixture.acquire({ maxWaitMs: 60_000 });
    await fixture.advance(0);
    expect(asked.state).toBe("waiting");
    await fixture.advanceTo(60_000);
    expect(asked.state).not.toBe("waiting");
    const counted = fixture.counted("requests");
    expect(counted).toBe(asked.state === "granted" ? 1 : 0);
  });

  it("the deadline holds if the clock stops, goes back, or jumps ahead a year", async () => {
    const { fixture } = occupiedFixture();
    const asked = fixture.acquire({ maxWaitMs: 5_000 });
    await fixture.advanceTo(3_000);
    fixture.limiter.inspect();
    await fixture.advanceTo(-50_000);
    fixture.limiter.inspect();
    expect(asked.state).toBe("waiting");
    await fixture.advanceTo(4_999);
    expect(asked.state).toBe("waiting");
    await fixture.advanceTo(4_999 + 365 * 86_400_000);
    expect(asked.state).not.toBe("waiting");
    expect(fixture.clock.outstanding).toBe(0);
  });
});

describe("changes during the wait", () => {
  it("waiters of a removed capability stop waiting, at the latest at the deadline", async () => {
    const { fixture, leases } = occupiedFixture();
    const asked = fixture.acquire({ maxWaitMs: 5_000 });
    fixture.limiter.removeCapability("chat");
    leases[0]!.settle();
    await fixture.advanceTo(5_000);
    expect(asked.state).toBe("rejected");
    expect(fixture.limiter.inspect().waiting).toEqual({});
    expect(fixture.clock.outstanding).toBe(0);
    expect(fixture.counted("concurrency")).toBe(0);
  });

  it("a strategy that throws rejects that waiter with its error; the others continue and nothing is reserved", async () => {
    let angry: string | null = null;
    const fixture = new LimiterFixture({
      scoring: {
        score: ({ capability }) => {
          if (capability === angry) throw new RangeError("mine");
          return 1;
        },
      },
      providers: [{ name: "a", limits: { concurrency: 1 } }],
      capabilities: { chat: ["a"], mail: ["a"] },
    });
    const lease = fixture.grant();
    const asked = [fixture.acquire({}, "mail"), fixture.acquire({}, "chat")];
    angry = "mail";
    lease.settle();
    await fixture.advance(0);
    expect(asked[0]).toMatchObject({ state: "rejected", error: expect.any(RangeError) });
    expect(asked[1]!.state).toBe("granted");
    expect(() => fixture.limiter.tryAcquire("mail")).toThrow("mine");
    await expect(fixture.limiter.acquire("mail")).rejects.toThrow("mine");
    expect(fixture.counted("concurrency")).toBe(1);
    expect(fixture.limiter.inspect().waiting).toEqual({});
  });

  it("a listener can close the limiter, abort, or call it again during a call", async () => {
    for (const act of ["close", "abort", "ask", "settle"]) {
      const fixture = chatFixture({ limits: { concurrency: 2 } });
      const controller = new AbortController();
      const leases = [fixture.grant(), fixture.grant()];
      let times = 0;
      fixture.limiter.on("leaseGranted", ({ lease }) => {
        if (times++ > 5) return;
        if (act === "close") fixture.limiter.close();
        if (act === "abort") controller.abort();
        if (act === "ask") fixture.acquire({ maxWaitMs: 10 });
        if (act === "settle") lease.settle();
      });
      const asked = Array.from({ length: 5 }, () => fixture.acquire({ signal: controller.signal, maxWaitMs: 1_000 }));
      for (const lease of leases) lease.settle();
      await fixture.advance(2_000);
      expect(asked.map(({ state }) => state)).not.toContain("waiting");
      const granted = asked.filter(({ state }) => state === "granted").length;
      expect(granted).toBeGreaterThanOrEqual(1);
      for (const { lease } of asked) lease?.settle();
      await fixture.advance(2_000);
      expect(fixture.limiter.inspect()).toMatchObject({ waiting: {}, providers: [{ name: "a" }] });
      expect(fixture.clock.outstanding).toBe(0);
    }
  });
});

describe("close()", () => {
  it("close rejects all queued and all later calls, and open leases can still end", async () => {
    const { fixture, leases } = occupiedFixture();
    const asked = [fixture.acquire(), fixture.acquire({ maxWaitMs: Infinity })];
    fixture.limiter.close();
    expect(fixture.clock.outstanding).toBe(0);
    asked.push(fixture.acquire());
    await fixture.advance(0);
    for (const { state, error } of asked) {
      expect(state).toBe("rejected");
      expect(error).toMatchObject({ code: "closed" });
    }
    expect(fixture.limiter.inspect().waiting).toEqual({});
    leases[0]!.settle({ latencyMs: 7 });
    expect(fixture.limiter.inspect().providers[0]).toMatchObject({ inFlight: 0, latencyMs: 7 });
    fixture.limiter.close();
  });
});

describe("the number of timers", () => {
  it("there is never more than one timer, and none while no call waits", async () => {
    const fixture = new LimiterFixture({
      providers: [
        { name: "a", limits: { rpm: 2, concurrency: 2 } },
        { name: "b", limits: { rps: 1 } },
        { name: "c", limits: { concurrency: 1 } },
      ],
      capabilities: { chat: ["a"], mail: ["b"], sms: ["c"], any: ["a", "b", "c"] },
    });
    fixture.limiter.select("any");
    for (const capability of ["chat", "chat", "mail", "sms"]) fixture.grant({}, capability).headersReceived();
    fixture.limiter.observe({ provider: "c", outcome: { status: "rate_limited", retryAfterMs: 3_000 } });
    fixture.clock.set(500);
    fixture.limiter.inspect();
    expect(fixture.clock.asked).toBe(0);
    const asked = ["chat", "mail", "mail", "sms", "any", "any", "chat"].map((capability, i) =>
      fixture.acquire({ maxWaitMs: 100_000 + i * 7, priority: i % 2 }, capability),
    );
    for (let i = 0; i < 400; i++) {
      await fixture.advance(293);
      const isWaited = Object.keys(fixture.limiter.inspect().waiting).length > 0;
      expect(fixture.clock.outstanding).toBe(isWaited ? 1 : 0);
    }
    expect(fixture.clock.most).toBe(1);
    expect(asked.map(({ state }) => state)).not.toContain("waiting");
    expect(fixture.clock.outstanding).toBe(0);
  });

  it("a timer that fires early, twice, or without a waiter does no harm", async () => {
    let now = 0;
    const wakes: (() => void)[] = [];
    const limiter = new GrateLimiter({
      clock: {
        now: () => now,
        epochNow: () => now,
        wakeAt: (_, wake) => [() => {}, wakes.push(wake)][0] as () => void,
      },
      providers: [{ name: "a", limits: { rpm: 1 } }],
      capabilities: { chat: ["a"] },
    });
    const first = limiter.tryAcquire("chat");
    if (first.granted) first.settle();
    let lease: unknown = null;
    limiter.acquire("chat", { maxWaitMs: 70_000 }).then((got) => {
      lease = got;
    });
    for (const at of [1, 1, 59_999.5]) {
      now = at;
      for (const wake of [...wakes]) wake();
      await flushPromises();
      expect(lease).toBeNull();
    }
    now = 60_000;
    for (const wake of [...wakes]) wake();
    await flushPromises();
    expect(lease).not.toBeNull();
    for (const wake of [...wakes]) wake();
    now = 1e9;
    for (const wake of [...wakes]) wake();
    await flushPromises();
    expect(limiter.metrics.leasesGranted).toBe(2);
  });

  it("a timer is limited to less than 2^31 ms, on the real clock and on a clock without wakeAt", async () => {
    const delays: number[] = [];
    const real = globalThis.setTimeout;
    const spy = vi.spyOn(globalThis, "setTimeout").mockImplementation(((wake: () => void, ms?: number) => {
      delays.push(ms ?? 0);
      return real(wake, Math.min(ms ?? 0, 2 ** 31 - 1));
    }) as typeof setTimeout);
    try {
      for (const clock of [new RealClock(), { now: () => performance.now() }]) {
        delays.length = 0;
        const limiter = new GrateLimiter({
          clock,
          providers: [{ name: "a", quotas: [{ dimension: "requests", limit: 1, window: { seconds: 90 * 86_400 } }] }],
          capabilities: { chat: ["a"] },
        });
        const answer = limiter.tryAcquire("chat");
        if (answer.granted) answer.settle();
        const waiting = limiter.acquire("chat", { maxWaitMs: Number.POSITIVE_INFINITY });
        const closed = expect(waiting).rejects.toMatchObject({ code: "closed" });
        await new Promise((resolve) => real(resolve, 20));
        // A longer timer would overflow and fire immediately; a shorter one must not cause a busy loop.
        expect(delays).toHaveLength(1);
        expect(delays[0]).toBeLessThan(2 ** 31);
        expect(delays[0]).toBeGreaterThan(1e6);
        limiter.close();
        await closed;
      }
    } finally {
      spy.mockRestore();
    }
  });

  it("acquire waits in real time on the real clock", async () => {
    const limiter = new GrateLimiter({
      providers: [{ name: "a", quotas: [{ dimension: "requests", limit: 1, window: { seconds: 0.08 } }] }],
      capabilities: { chat: ["a"] },
    });
    const answer = limiter.tryAcquire("chat");
    if (answer.granted) answer.settle();
    const from = performance.now();
    const lease = await limiter.acquire("chat");
    expect(performance.now() - from).toBeGreaterThanOrEqual(79);
    expect(performance.now() - from).toBeLessThan(20_000);
    lease.settle();
    await expect(limiter.acquire("chat", { maxWaitMs: 20 })).rejects.toSatisfy(NoAvailableProviders.is);
  });
});
