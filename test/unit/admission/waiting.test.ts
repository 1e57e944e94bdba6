// How waiting ends: with a grant, at the deadline, immediately if no grant is possible, by the abort signal of the
// caller, or by close().
import { getEventListeners } from "node:events";
import { describe, expect, it, vi } from "vitest";
import { GrateLimiter, NoAvailableProviders, RealClock } from "../../../src/index.ts";
import { chatFixture, flushPromises, LimiterFixture, rejection } from "../../support/limiter-fixture.ts";

const listeners = (signal: AbortSignal) => getEventListeners(signal, "abort").length;

function occupiedFixture(concurrency = 1) {
  const fixture = chatFixture({ limits: { concurrency } });
  return { fixture, leases: Array.from({ length: concurrency }, () => fixture.grant()) };
}

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

describe("immediate rejection", () => {
  const kinds = async (fixture: LimiterFixture, options: Parameters<LimiterFixture["acquire"]>[0] = {}) => {
    const asked = fixture.acquire(options);
    await fixture.advance(0);
    return asked.state === "rejected" ? rejection(asked).kind : asked.state;
  };

  it("a call is rejected immediately if the next release of a window comes after the deadline", async () => {
    const fixture = chatFixture({ limits: { rpm: 1 } });
    fixture.grant().settle();
    expect(await kinds(fixture, { maxWaitMs: 59_999 })).toBe("refused");
    const asked = fixture.acquire({ maxWaitMs: 59_999 });
    await fixture.advance(0);
    expect(rejection(asked)).toMatchObject({ retryAfterMs: 60_000, retryAfterSeconds: 60, attempts: [] });
    expect(rejection(asked).reasons).toMatchObject([{ reason: "quota", retryAfterMs: 60_000 }]);
    expect(await kinds(fixture, { maxWaitMs: 60_001 })).toBe("waiting");
  });

  it("a call is rejected immediately behind waiters with later deadlines or smaller amounts", async () => {
    const fixture = chatFixture({ limits: { rpm: 1, tpm: 50 } });
    fixture.grant({ tokens: 1 }).settle();
    expect(await kinds(fixture, { tokens: 1, maxWaitMs: 70_000 })).toBe("waiting");
    expect(await kinds(fixture, { tokens: 1, maxWaitMs: 1_000 })).toBe("refused");
    expect(await kinds(fixture, { tokens: 1, maxWaitMs: 0 })).toBe("refused");
    expect(await kinds(fixture, { tokens: 51, maxWaitMs: 70_000 })).toBe("refused");
    expect(await kinds(fixture, { tokens: 1, maxWaitMs: 70_000 })).toBe("waiting");
    expect(await kinds(fixture, { tokens: 1, maxWaitMs: 1_000, priority: 3 })).toBe("refused");
    expect(fixture.limiter.inspect().waiting).toEqual({ chat: 2 });
  });

  it("a call is rejected immediately if all requests in flight together free too little", async () => {
    const fixture = chatFixture({ limits: { rpm: 10, tpm: 100 } });
    fixture.grant({ tokens: 70 }).settle();
    const open = fixture.grant({ tokens: 20 });
    expect(await kinds(fixture, { tokens: 31, maxWaitMs: 50_000 })).toBe("refused");
    expect(await kinds(fixture, { tokens: 30, maxWaitMs: 50_000 })).toBe("waiting");
    open.headersReceived();
    await fixture.advance(10_000);
    // The amounts already count, and can still be corrected.
    expect(await kinds(fixture, { tokens: 31, maxWaitMs: 49_000 })).toBe("refused");
    expect(await kinds(fixture, { tokens: 31, maxWaitMs: 50_001 })).toBe("waiting");
    open.settle({ usage: { tokens: 0 } });
  });

  it("an immediate rejection considers all quotas of a provider", async () => {
    const fixture = chatFixture({ limits: { rpm: 2, concurrency: 2 } });
    fixture.grant().settle();
    fixture.grant().headersReceived();
    // The place becomes free, but the request still counts.
    expect(await kinds(fixture, { maxWaitMs: 30_000 })).toBe("refused");
    const other = chatFixture({ limits: { rpm: 2, concurrency: 1 } });
    other.grant().headersReceived();
    expect(await kinds(other, { maxWaitMs: 30_000 })).toBe("waiting");
  });

  it("a call waits if an answered request counts from its end and leaves the window in time", async () => {
    const fixture = chatFixture({ quotas: [{ dimension: "requests", limit: 1, window: "second", countsAtEnd: true }] });
    const open = fixture.grant();
    open.headersReceived();
    const asked = fixture.acquire({ maxWaitMs: 10_000 });
    await fixture.advance(2_000);
    expect(asked.state).toBe("waiting");
    open.settle();
    await fixture.advance(1_000);
    expect(asked.state).toBe("granted");
  });

  it("a call waits for requests that might turn out to be unused", async () => {
    const fixture = chatFixture({ limits: { rpm: 10 } });
    const open = fixture.grant({ requests: 10 });
    open.headersReceived();
    const asked = fixture.acquire({ requests: 7, maxWaitMs: 10_000 });
    await fixture.advance(1_000);
    open.settle({ usage: { requests: 3 } });
    await fixture.advance(0);
    expect(asked.state).toBe("granted");
    expect(await kinds(fixture, { requests: 10, maxWaitMs: 10_000 })).toBe("refused");
  });

  it("a call waits if later samples can lower its estimate", async () => {
    const fixture = chatFixture({ limits: { tpm: 100 } });
    fixture.grant({ tokens: 30 }).settle({ usage: { tokens: 30 } });
    const open = fixture.grant({ tokens: 10 });
    // One sample of 30 leaves a margin of nearly all capacity; a second one of 30 leaves no margin.
    const asked = fixture.acquire({ maxWaitMs: 10_000 });
    await fixture.advance(1_000);
    expect(asked.state).toBe("waiting");
    open.settle({ usage: { tokens: 30 } });
    await fixture.advance(0);
    expect(asked.state).toBe("granted");
  });

  it("a call waits for health that recovers in time if a place becomes free with the end of a request", async () => {
    const fixture = new LimiterFixture({
      minimumHealthScore: 0.5,
      health: { decayHalfLifeSeconds: 2, cooldownTriggerCount: 100, penalty5xx: 0.7 },
      pools: { shared: { limits: { concurrency: 1 } } },
      providers: [
        { name: "a", pools: ["shared"] },
        { name: "b", pools: ["shared"] },
      ],
      capabilities: { chat: ["a"], mail: ["b"] },
    });
    const open = fixture.grant({}, "mail");
    fixture.limiter.observe({ provider: "a", outcome: { status: "server_error" } });
    const asked = fixture.acquire({ maxWaitMs: 10_000 });
    await fixture.advance(5_000);
    expect(asked.state).toBe("waiting");
    open.settle();
    await fixture.advance(0);
    expect(asked.state).toBe("granted");
    expect(await kinds(fixture, { maxWaitMs: 0 })).toBe("refused");
  });

  it("a call is rejected immediately if a cooldown ends after the deadline", async () => {
    const fixture = chatFixture();
    fixture.limiter.observe({ provider: "a", outcome: { status: "overloaded", retryAfterMs: 90_000 } });
    expect(await kinds(fixture)).toBe("refused");
    expect(await kinds(fixture, { maxWaitMs: 90_001 })).toBe("waiting");
  });

  it.each(["too large", "dead", "excluded", "empty", "not registered", "paused"])(
    "a call is rejected immediately if no provider can ever serve it: %s",
    async (why) => {
      const fixture = new LimiterFixture({
        providers: [{ name: "a", limits: { tpm: 10 }, paused: why === "paused" }],
        capabilities: { chat: why === "empty" ? [] : why === "not registered" ? ["nobody"] : ["a"] },
      });
      if (why === "dead") fixture.limiter.observe({ provider: "a", outcome: { status: "unauthorized" } });
      const exclude = why === "excluded" ? ["a"] : undefined;
      expect(await kinds(fixture, { tokens: why === "too large" ? 11 : 1, exclude, maxWaitMs: Infinity })).toBe(
        "refused",
      );
    },
  );

  it("a call waits if the end of a request in flight can free capacity", async () => {
    const place = occupiedFixture().fixture;
    expect(await kinds(place, { maxWaitMs: 10 })).toBe("waiting");
    const unsent = chatFixture({ limits: { rpm: 1 } });
    unsent.grant();
    expect(await kinds(unsent, { maxWaitMs: 10 })).toBe("waiting");
    const tokens = chatFixture({ limits: { tpm: 100 } });
    tokens.grant({ tokens: 100 }).headersReceived();
    expect(await kinds(tokens, { maxWaitMs: 10, tokens: 5 })).toBe("waiting");
    const trial = chatFixture();
    trial.limiter.observe({ provider: "a", outcome: { status: "rate_limited", retryAfterMs: 500 } });
    trial.clock.set(500);
    trial.grant();
    expect(await kinds(trial, { maxWaitMs: 10 })).toBe("waiting");
    const pooled = new LimiterFixture({
      pools: { org: { limits: { concurrency: 1 } } },
      providers: [
        { name: "a", pools: ["org"] },
        { name: "b", pools: ["org"] },
      ],
      capabilities: { chat: ["a"], mail: ["b"] },
    });
    pooled.grant({}, "mail");
    expect(await kinds(pooled, { maxWaitMs: 10 })).toBe("waiting");
  });

  it("a call waits if a known release and the end of a trial are both needed and both possible", async () => {
    const fixture = chatFixture({ quotas: [{ dimension: "requests", limit: 1, window: { seconds: 5 } }] });
    fixture.limiter.observe({
      provider: "a",
      usage: { requests: 0 },
      outcome: { status: "rate_limited", retryAfterMs: 500 },
    });
    fixture.clock.set(500);
    const trial = fixture.grant();
    trial.headersReceived();
    const asked = fixture.acquire({ maxWaitMs: 6_000 });
    await fixture.advanceTo(1_000);
    expect(asked.state).toBe("waiting");
    trial.settle();
    await fixture.advanceTo(5_500);
    expect(asked.state).toBe("granted");
    // The release alone does not come in time.
    asked.lease!.headersReceived();
    expect(await kinds(fixture, { maxWaitMs: 4_000 })).toBe("refused");
  });

  it("a call is rejected immediately if a cooldown ends in time but its provider can never serve it", async () => {
    const fixture = new LimiterFixture({
      providers: [
        { name: "a", limits: { tpm: 10 } },
        { name: "b", limits: { concurrency: 1 } },
      ],
      capabilities: { chat: ["a", "b"] },
    });
    fixture.grant({ only: ["b"], tokens: 1 });
    fixture.limiter.observe({ provider: "a", outcome: { status: "rate_limited", retryAfterMs: 4_000 } });
    const first = fixture.acquire({ tokens: 11, maxWaitMs: 20_000 });
    await fixture.advance(0);
    expect(first.state).toBe("waiting");
    fixture.limiter.removeProvider("b");
    expect(await kinds(fixture, { tokens: 11, maxWaitMs: 20_000 })).toBe("refused");
    await fixture.advanceTo(20_000);
    expect(first.state).toBe("rejected");
  });

  it("a queued waiter is rejected as soon as it cannot be served any more, and the waiters behind it are served", async () => {
    const fixture = chatFixture({ limits: { concurrency: 2, rpm: 1 } });
    const lease = fixture.grant();
    const first = fixture.acquire({ maxWaitMs: 50 });
    const second = fixture.acquire({ requests: 0 });
    await fixture.advance(0);
    expect([first.state, second.state]).toEqual(["waiting", "waiting"]);
    lease.settle();
    await fixture.advance(0);
    if (first.state === "waiting") await fixture.advance(50);
    expect([first.state, second.state]).toEqual(["rejected", "granted"]);
  });

  it("a call waits for an abandoned place that becomes free in time, and for no other", async () => {
    const { fixture, leases } = occupiedFixture();
    leases[0]!.settle({ status: "cancelled" });
    expect(await kinds(fixture, { maxWaitMs: 999 })).toBe("refused");
    const asked = fixture.acquire({ maxWaitMs: 1_001 });
    await fixture.advanceTo(1_000);
    expect(asked.state).toBe("granted");
  });

  it("an invalid request is rejected with the error that tryAcquire throws", async () => {
    const fixture = chatFixture();
    const asked = async (capability: string, options?: object) => fixture.limiter.acquire(capability, options);
    await expect(asked("chit")).rejects.toMatchObject({ code: "unknown_capability" });
    await expect(asked("chat", { tokens: -1 })).rejects.toMatchObject({ code: "invalid_config" });
    await expect(asked("chat", { maxWaitMs: Number.NaN })).rejects.toMatchObject({ code: "invalid_config" });
    await expect(asked("chat", { maxWaitMs: -1 })).rejects.toMatchObject({ code: "invalid_config" });
    await expect(asked("chat", { priority: "high" })).rejects.toMatchObject({ code: "invalid_config" });
    await expect(asked("chat", { patience: 1 })).rejects.toMatchObject({ code: "invalid_config" });
    expect(fixture.limiter.inspect().metrics.leasesGranted).toBe(0);
  });
});

describe("the abort signal", () => {
  it("an aborted signal rejects the call with its own reason, takes nothing, and gets no listener", async () => {
    const fixture = chatFixture();
    const reason = { mine: true };
    const signal = AbortSignal.abort(reason);
    const asked = fixture.acquire({ signal });
    await fixture.advance(0);
    expect(asked.state).toBe("rejected");
    expect(asked.error).toBe(reason);
    expect(listeners(signal)).toBe(0);
    expect(fixture.limiter.metrics.leasesGranted).toBe(0);
  });

  it("an abort removes the waiter from the queue immediately", async () => {
    const { fixture, leases } = occupiedFixture();
    const controller = new AbortController();
    const first = fixture.acquire({ signal: controller.signal });
    const second = fixture.acquire();
    expect(listeners(controller.signal)).toBe(1);
    controller.abort(new TypeError("mine"));
    expect(fixture.limiter.inspect().waiting).toEqual({ chat: 1 });
    expect(listeners(controller.signal)).toBe(0);
    leases[0]!.settle();
    await fixture.advance(0);
    expect(first).toMatchObject({ state: "rejected", error: expect.objectContaining({ message: "mine" }) });
    expect(second.state).toBe("granted");
    expect(fixture.counted("concurrency")).toBe(1);
  });

  it.each(["aborted", "too late", "refused"])("an abort of the last waiter leaves no claim behind: %s", async (how) => {
    const fixture = chatFixture({ limits: { concurrency: 2, rpm: 3 } });
    const leases = [fixture.grant(), fixture.grant()];
    const controller = new AbortController();
    const asked = fixture.acquire({ signal: controller.signal, maxWaitMs: 50, requests: how === "refused" ? 2 : 1 });
    await fixture.advance(0);
    expect(asked.state).toBe("waiting");
    if (how === "aborted") controller.abort();
    if (how === "too late") await fixture.advance(50);
    if (how === "refused") for (const lease of leases) lease.settle();
    await fixture.advance(0);
    expect(asked.state).toBe("rejected");
    leases[1]!.settle();
    expect(fixture.refusal({ requests: 2 }).reasons[0]!.reason).toBe("quota");
    fixture.grant();
  });

  it("an abort of the last waiter stops the timer", async () => {
    const { fixture } = occupiedFixture();
    const controller = new AbortController();
    fixture.acquire({ signal: controller.signal });
    expect(fixture.clock.outstanding).toBe(1);
    controller.abort();
    expect(fixture.clock.outstanding).toBe(0);
    await flushPromises();
    expect(fixture.limiter.inspect().waiting).toEqual({});
  });

  it("an abort after the grant changes nothing, and no listener remains", async () => {
    const { fixture, leases } = occupiedFixture();
    const controller = new AbortController();
    const asked = fixture.acquire({ signal: controller.signal });
    leases[0]!.settle();
    await fixture.advance(0);
    expect(asked.state).toBe("granted");
    expect(listeners(controller.signal)).toBe(0);
    controller.abort();
    await fixture.advance(0);
    expect(asked.lease!.settled).toBe(false);
    expect(fixture.counted("concurrency")).toBe(1);
  });

  it.each([
    "right after the settle",
    "in the event of the grant",
    "in the event of another's grant",
    "before the settle",
  ])("an abort at the instant of the grant: %s", async (when) => {
    const { fixture, leases } = occupiedFixture(2);
    const controller = new AbortController();
    if (when.startsWith("in the event")) fixture.limiter.on("leaseGranted", () => controller.abort("now"));
    const other = when.includes("another") ? fixture.acquire() : null;
    const asked = fixture.acquire({ signal: controller.signal });
    const behind = fixture.acquire();
    if (when === "before the settle") controller.abort("now");
    leases[0]!.settle();
    if (other !== null) leases[1]!.settle();
    if (when === "right after the settle") controller.abort("now");
    await fixture.advance(0);
    expect(listeners(controller.signal)).toBe(0);
    if (asked.state === "rejected") {
      expect(asked.error).toBe("now");
      expect(behind.state).toBe("granted");
    } else {
      expect(asked.state).toBe("granted");
      expect(asked.lease!.settled).toBe(false);
      asked.lease!.settle();
      await fixture.advance(0);
      expect(behind.state).toBe("granted");
    }
    for (const lease of [...leases, other?.lease, behind.lease]) lease?.settle();
    await fixture.advance(1_000);
    expect(fixture.counted("concurrency")).toBe(0);
    expect(fixture.limiter.inspect().waiting).toEqual({});
    expect(fixture.clock.outstanding).toBe(0);
  });

  it("50 waiters on one signal share one listener, and none remains afterwards", async () => {
    const { fixture, leases } = occupiedFixture(3);
    const controller = new AbortController();
    const warned: unknown[] = [];
    const listen = (warning: unknown) => warned.push(warning);
    process.on("warning", listen);
    const line = Array.from({ length: 50 }, () => fixture.acquire({ signal: controller.signal }));
    const others = Array.from({ length: 3 }, () => new AbortController());
    for (const { signal } of others) fixture.acquire({ signal });
    expect(listeners(controller.signal)).toBe(1);
    for (const { signal } of others) expect(listeners(signal)).toBe(1);
    for (const lease of leases) lease.settle();
    await fixture.advance(0);
    expect(line.filter(({ state }) => state === "granted")).toHaveLength(3);
    expect(listeners(controller.signal)).toBe(1);
    controller.abort("enough");
    await fixture.advance(0);
    expect(line.filter(({ state }) => state === "rejected")).toHaveLength(47);
    for (const { state, error } of line) if (state === "rejected") expect(error).toBe("enough");
    expect(listeners(controller.signal)).toBe(0);
    expect(fixture.limiter.inspect().waiting).toEqual({ chat: 3 });
    await new Promise((resolve) => setTimeout(resolve, 5));
    process.off("warning", listen);
    expect(warned).toEqual([]);
  });

  it("no listener remains after a grant, a deadline, a refusal, a full queue, or a close", async () => {
    const fixture = chatFixture({ limits: { concurrency: 1 } }, { maxWaiting: 2 });
    const signals = Array.from({ length: 6 }, () => new AbortController().signal);
    const lease = fixture.grant();
    fixture.acquire({ signal: signals[0]! });
    fixture.acquire({ signal: signals[1]!, maxWaitMs: 500 });
    fixture.acquire({ signal: signals[2]! });
    fixture.acquire({ signal: signals[3]!, exclude: ["a"] });
    await fixture.advance(0);
    expect(signals.map(listeners)).toEqual([1, 1, 0, 0, 0, 0]);
    await fixture.advance(500);
    lease.settle();
    await fixture.advance(0);
    expect(signals.map(listeners)).toEqual([0, 0, 0, 0, 0, 0]);
    fixture.acquire({ signal: signals[4]! });
    expect(listeners(signals[4]!)).toBe(1);
    fixture.limiter.close();
    fixture.acquire({ signal: signals[5]! });
    await fixture.advance(0);
    expect(signals.map(listeners)).toEqual([0, 0, 0, 0, 0, 0]);
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
