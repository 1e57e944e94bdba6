// How waiting ends: with a grant, at the deadline, immediately if no grant is possible, by the abort signal of the
// caller, or by close().
import { getEventListeners } from "node:events";
import { describe, expect, it, vi } from "vitest";
import { GrateLimiter, NoAvailableProviders, RealClock } from "../../../src/index.ts";
import { Desk, desk, rejection, turns } from "../../support/limiter-fixture.ts";

const listeners = (signal: AbortSignal) => getEventListeners(signal, "abort").length;

function busy(concurrency = 1) {
  const one = desk({ limits: { concurrency } });
  return { one, leases: Array.from({ length: concurrency }, () => one.take()) };
}

describe("the deadline", () => {
  it("waiting ends at the deadline with timed_out, a reason per provider, and a known time", async () => {
    const one = new Desk({
      providers: [
        { name: "a", limits: { concurrency: 1 } },
        { name: "b", limits: { rpm: 1 } },
      ],
      capabilities: { chat: ["a", "b"] },
    });
    one.take({ only: ["a"] });
    one.take({ only: ["b"] }).settle();
    const asked = one.ask({ maxWaitMs: 5_000 });
    await one.at(4_999);
    expect(asked.state).toBe("waiting");
    await one.at(5_000);
    const error = rejection(asked);
    expect(error).toMatchObject({
      ...{ kind: "timed_out", code: "no_available_providers", capability: "chat", attempts: [] },
      ...{ retryAfterMs: 55_000, retryAfterSeconds: 55 },
    });
    expect(error.reasons).toMatchObject([
      { provider: "a", reason: "concurrency", retryAfterMs: null },
      { provider: "b", reason: "quota", retryAfterMs: 55_000 },
    ]);
    expect(one.limiter.inspect().waiting).toEqual({});
    expect(one.clock.outstanding).toBe(0);
  });

  it("all waiters with the same deadline are rejected with timed_out", async () => {
    const { one } = busy();
    const asked = Array.from({ length: 3 }, () => one.ask({ maxWaitMs: 50 }));
    await one.later(50);
    expect(asked.map((each) => rejection(each).kind)).toEqual(["timed_out", "timed_out", "timed_out"]);
  });

  it("the deadline is 60 s by default or as `defaults` or the call state; 0 never waits and Infinity always waits", async () => {
    const { one } = busy();
    const asked = [
      one.ask(),
      one.ask({ maxWaitMs: 0 }),
      one.ask({ maxWaitMs: 10.5 }),
      one.ask({ maxWaitMs: Infinity }),
    ];
    await one.later(0);
    expect(asked[1]!).toMatchObject({ state: "rejected", atMs: 0 });
    await one.at(10);
    expect(asked[2]!.state).toBe("waiting");
    await one.at(11.5);
    expect(asked[2]!.state).toBe("rejected");
    await one.at(59_999);
    expect(asked[0]!.state).toBe("waiting");
    await one.at(60_000);
    expect(asked[0]!.state).toBe("rejected");
    await one.at(590_000);
    expect(asked[3]!.state).toBe("waiting");
    const own = desk({ limits: { concurrency: 1 } }, { defaults: { maxWaitMs: 300 } });
    own.take();
    const late = own.ask();
    await own.at(300);
    expect(rejection(late).kind).toBe("timed_out");
  });

  it("at the deadline itself a waiter is either granted or rejected, and in both cases stops waiting", async () => {
    const one = desk({ limits: { rpm: 1 } });
    one.take().settle();
    const asked = one.ask({ maxWaitMs: 60_000 });
    await one.later(0);
    expect(asked.state).toBe("waiting");
    await one.at(60_000);
    expect(asked.state).not.toBe("waiting");
    const counted = one.counted("requests");
    expect(counted).toBe(asked.state === "granted" ? 1 : 0);
  });

  it("the deadline holds if the clock stops, goes back, or jumps ahead a year", async () => {
    const { one } = busy();
    const asked = one.ask({ maxWaitMs: 5_000 });
    await one.at(3_000);
    one.limiter.inspect();
    await one.at(-50_000);
    one.limiter.inspect();
    expect(asked.state).toBe("waiting");
    await one.at(4_999);
    expect(asked.state).toBe("waiting");
    await one.at(4_999 + 365 * 86_400_000);
    expect(asked.state).not.toBe("waiting");
    expect(one.clock.outstanding).toBe(0);
  });
});

describe("immediate rejection", () => {
  const kinds = async (one: Desk, options: Parameters<Desk["ask"]>[0] = {}) => {
    const asked = one.ask(options);
    await one.later(0);
    return asked.state === "rejected" ? rejection(asked).kind : asked.state;
  };

  it("a call is rejected immediately if the next release of a window comes after the deadline", async () => {
    const one = desk({ limits: { rpm: 1 } });
    one.take().settle();
    expect(await kinds(one, { maxWaitMs: 59_999 })).toBe("refused");
    const asked = one.ask({ maxWaitMs: 59_999 });
    await one.later(0);
    expect(rejection(asked)).toMatchObject({ retryAfterMs: 60_000, retryAfterSeconds: 60, attempts: [] });
    expect(rejection(asked).reasons).toMatchObject([{ reason: "quota", retryAfterMs: 60_000 }]);
    expect(await kinds(one, { maxWaitMs: 60_001 })).toBe("waiting");
  });

  it("a call is rejected immediately behind waiters with later deadlines or smaller amounts", async () => {
    const one = desk({ limits: { rpm: 1, tpm: 50 } });
    one.take({ tokens: 1 }).settle();
    expect(await kinds(one, { tokens: 1, maxWaitMs: 70_000 })).toBe("waiting");
    expect(await kinds(one, { tokens: 1, maxWaitMs: 1_000 })).toBe("refused");
    expect(await kinds(one, { tokens: 1, maxWaitMs: 0 })).toBe("refused");
    expect(await kinds(one, { tokens: 51, maxWaitMs: 70_000 })).toBe("refused");
    expect(await kinds(one, { tokens: 1, maxWaitMs: 70_000 })).toBe("waiting");
    expect(await kinds(one, { tokens: 1, maxWaitMs: 1_000, priority: 3 })).toBe("refused");
    expect(one.limiter.inspect().waiting).toEqual({ chat: 2 });
  });

  it("a call is rejected immediately if all requests in flight together free too little", async () => {
    const one = desk({ limits: { rpm: 10, tpm: 100 } });
    one.take({ tokens: 70 }).settle();
    const open = one.take({ tokens: 20 });
    expect(await kinds(one, { tokens: 31, maxWaitMs: 50_000 })).toBe("refused");
    expect(await kinds(one, { tokens: 30, maxWaitMs: 50_000 })).toBe("waiting");
    open.headersReceived();
    await one.later(10_000);
    // The amounts already count, and can still be corrected.
    expect(await kinds(one, { tokens: 31, maxWaitMs: 49_000 })).toBe("refused");
    expect(await kinds(one, { tokens: 31, maxWaitMs: 50_001 })).toBe("waiting");
    open.settle({ usage: { tokens: 0 } });
  });

  it("an immediate rejection considers all quotas of a provider", async () => {
    const one = desk({ limits: { rpm: 2, concurrency: 2 } });
    one.take().settle();
    one.take().headersReceived();
    // The place becomes free, but the request still counts.
    expect(await kinds(one, { maxWaitMs: 30_000 })).toBe("refused");
    const other = desk({ limits: { rpm: 2, concurrency: 1 } });
    other.take().headersReceived();
    expect(await kinds(other, { maxWaitMs: 30_000 })).toBe("waiting");
  });

  it("a call waits if an answered request counts from its end and leaves the window in time", async () => {
    const one = desk({ quotas: [{ dimension: "requests", limit: 1, window: "second", countsAtEnd: true }] });
    const open = one.take();
    open.headersReceived();
    const asked = one.ask({ maxWaitMs: 10_000 });
    await one.later(2_000);
    expect(asked.state).toBe("waiting");
    open.settle();
    await one.later(1_000);
    expect(asked.state).toBe("granted");
  });

  it("a call waits for requests that might turn out to be unused", async () => {
    const one = desk({ limits: { rpm: 10 } });
    const open = one.take({ requests: 10 });
    open.headersReceived();
    const asked = one.ask({ requests: 7, maxWaitMs: 10_000 });
    await one.later(1_000);
    open.settle({ usage: { requests: 3 } });
    await one.later(0);
    expect(asked.state).toBe("granted");
    expect(await kinds(one, { requests: 10, maxWaitMs: 10_000 })).toBe("refused");
  });

  it("a call waits if later samples can lower its estimate", async () => {
    const one = desk({ limits: { tpm: 100 } });
    one.take({ tokens: 30 }).settle({ usage: { tokens: 30 } });
    const open = one.take({ tokens: 10 });
    // One sample of 30 leaves a margin of nearly all capacity; a second one of 30 leaves no margin.
    const asked = one.ask({ maxWaitMs: 10_000 });
    await one.later(1_000);
    expect(asked.state).toBe("waiting");
    open.settle({ usage: { tokens: 30 } });
    await one.later(0);
    expect(asked.state).toBe("granted");
  });

  it("a call waits for health that recovers in time if a place becomes free with the end of a request", async () => {
    const one = new Desk({
      minimumHealthScore: 0.5,
      health: { decayHalfLifeSeconds: 2, cooldownTriggerCount: 100, penalty5xx: 0.7 },
      pools: { shared: { limits: { concurrency: 1 } } },
      providers: [
        { name: "a", pools: ["shared"] },
        { name: "b", pools: ["shared"] },
      ],
      capabilities: { chat: ["a"], mail: ["b"] },
    });
    const open = one.take({}, "mail");
    one.limiter.observe({ provider: "a", outcome: { status: "server_error" } });
    const asked = one.ask({ maxWaitMs: 10_000 });
    await one.later(5_000);
    expect(asked.state).toBe("waiting");
    open.settle();
    await one.later(0);
    expect(asked.state).toBe("granted");
    expect(await kinds(one, { maxWaitMs: 0 })).toBe("refused");
  });

  it("a call is rejected immediately if a cooldown ends after the deadline", async () => {
    const one = desk();
    one.limiter.observe({ provider: "a", outcome: { status: "overloaded", retryAfterMs: 90_000 } });
    expect(await kinds(one)).toBe("refused");
    expect(await kinds(one, { maxWaitMs: 90_001 })).toBe("waiting");
  });

  it.each(["too large", "dead", "excluded", "empty", "not registered", "paused"])(
    "a call is rejected immediately if no provider can ever serve it: %s",
    async (why) => {
      const one = new Desk({
        providers: [{ name: "a", limits: { tpm: 10 }, paused: why === "paused" }],
        capabilities: { chat: why === "empty" ? [] : why === "not registered" ? ["nobody"] : ["a"] },
      });
      if (why === "dead") one.limiter.observe({ provider: "a", outcome: { status: "unauthorized" } });
      const exclude = why === "excluded" ? ["a"] : undefined;
      expect(await kinds(one, { tokens: why === "too large" ? 11 : 1, exclude, maxWaitMs: Infinity })).toBe("refused");
    },
  );

  it("a call waits if the end of a request in flight can free capacity", async () => {
    const place = busy().one;
    expect(await kinds(place, { maxWaitMs: 10 })).toBe("waiting");
    const unsent = desk({ limits: { rpm: 1 } });
    unsent.take();
    expect(await kinds(unsent, { maxWaitMs: 10 })).toBe("waiting");
    const tokens = desk({ limits: { tpm: 100 } });
    tokens.take({ tokens: 100 }).headersReceived();
    expect(await kinds(tokens, { maxWaitMs: 10, tokens: 5 })).toBe("waiting");
    const trial = desk();
    trial.limiter.observe({ provider: "a", outcome: { status: "rate_limited", retryAfterMs: 500 } });
    trial.clock.set(500);
    trial.take();
    expect(await kinds(trial, { maxWaitMs: 10 })).toBe("waiting");
    const pooled = new Desk({
      pools: { org: { limits: { concurrency: 1 } } },
      providers: [
        { name: "a", pools: ["org"] },
        { name: "b", pools: ["org"] },
      ],
      capabilities: { chat: ["a"], mail: ["b"] },
    });
    pooled.take({}, "mail");
    expect(await kinds(pooled, { maxWaitMs: 10 })).toBe("waiting");
  });

  it("a call waits if a known release and the end of a trial are both needed and both possible", async () => {
    const one = desk({ quotas: [{ dimension: "requests", limit: 1, window: { seconds: 5 } }] });
    one.limiter.observe({
      provider: "a",
      usage: { requests: 0 },
      outcome: { status: "rate_limited", retryAfterMs: 500 },
    });
    one.clock.set(500);
    const trial = one.take();
    trial.headersReceived();
    const asked = one.ask({ maxWaitMs: 6_000 });
    await one.at(1_000);
    expect(asked.state).toBe("waiting");
    trial.settle();
    await one.at(5_500);
    expect(asked.state).toBe("granted");
    // The release alone does not come in time.
    asked.lease!.headersReceived();
    expect(await kinds(one, { maxWaitMs: 4_000 })).toBe("refused");
  });

  it("a call is rejected immediately if a cooldown ends in time but its provider can never serve it", async () => {
    const one = new Desk({
      providers: [
        { name: "a", limits: { tpm: 10 } },
        { name: "b", limits: { concurrency: 1 } },
      ],
      capabilities: { chat: ["a", "b"] },
    });
    one.take({ only: ["b"], tokens: 1 });
    one.limiter.observe({ provider: "a", outcome: { status: "rate_limited", retryAfterMs: 4_000 } });
    const first = one.ask({ tokens: 11, maxWaitMs: 20_000 });
    await one.later(0);
    expect(first.state).toBe("waiting");
    one.limiter.removeProvider("b");
    expect(await kinds(one, { tokens: 11, maxWaitMs: 20_000 })).toBe("refused");
    await one.at(20_000);
    expect(first.state).toBe("rejected");
  });

  it("a queued waiter is rejected as soon as it cannot be served any more, and the waiters behind it are served", async () => {
    const one = desk({ limits: { concurrency: 2, rpm: 1 } });
    const lease = one.take();
    const first = one.ask({ maxWaitMs: 50 });
    const second = one.ask({ requests: 0 });
    await one.later(0);
    expect([first.state, second.state]).toEqual(["waiting", "waiting"]);
    lease.settle();
    await one.later(0);
    if (first.state === "waiting") await one.later(50);
    expect([first.state, second.state]).toEqual(["rejected", "granted"]);
  });

  it("a call waits for an abandoned place that becomes free in time, and for no other", async () => {
    const { one, leases } = busy();
    leases[0]!.settle({ status: "cancelled" });
    expect(await kinds(one, { maxWaitMs: 999 })).toBe("refused");
    const asked = one.ask({ maxWaitMs: 1_001 });
    await one.at(1_000);
    expect(asked.state).toBe("granted");
  });

  it("an invalid request is rejected with the error that tryAcquire throws", async () => {
    const one = desk();
    const asked = async (capability: string, options?: object) => one.limiter.acquire(capability, options);
    await expect(asked("chit")).rejects.toMatchObject({ code: "unknown_capability" });
    await expect(asked("chat", { tokens: -1 })).rejects.toMatchObject({ code: "invalid_config" });
    await expect(asked("chat", { maxWaitMs: Number.NaN })).rejects.toMatchObject({ code: "invalid_config" });
    await expect(asked("chat", { maxWaitMs: -1 })).rejects.toMatchObject({ code: "invalid_config" });
    await expect(asked("chat", { priority: "high" })).rejects.toMatchObject({ code: "invalid_config" });
    await expect(asked("chat", { patience: 1 })).rejects.toMatchObject({ code: "invalid_config" });
    expect(one.limiter.inspect().metrics.leasesGranted).toBe(0);
  });
});

describe("the abort signal", () => {
  it("an aborted signal rejects the call with its own reason, takes nothing, and gets no listener", async () => {
    const one = desk();
    const reason = { mine: true };
    const signal = AbortSignal.abort(reason);
    const asked = one.ask({ signal });
    await one.later(0);
    expect(asked.state).toBe("rejected");
    expect(asked.error).toBe(reason);
    expect(listeners(signal)).toBe(0);
    expect(one.limiter.metrics.leasesGranted).toBe(0);
  });

  it("an abort removes the waiter from the queue immediately", async () => {
    const { one, leases } = busy();
    const controller = new AbortController();
    const first = one.ask({ signal: controller.signal });
    const second = one.ask();
    expect(listeners(controller.signal)).toBe(1);
    controller.abort(new TypeError("mine"));
    expect(one.limiter.inspect().waiting).toEqual({ chat: 1 });
    expect(listeners(controller.signal)).toBe(0);
    leases[0]!.settle();
    await one.later(0);
    expect(first).toMatchObject({ state: "rejected", error: expect.objectContaining({ message: "mine" }) });
    expect(second.state).toBe("granted");
    expect(one.counted("concurrency")).toBe(1);
  });

  it.each(["aborted", "too late", "refused"])("an abort of the last waiter leaves no claim behind: %s", async (how) => {
    const one = desk({ limits: { concurrency: 2, rpm: 3 } });
    const leases = [one.take(), one.take()];
    const controller = new AbortController();
    const asked = one.ask({ signal: controller.signal, maxWaitMs: 50, requests: how === "refused" ? 2 : 1 });
    await one.later(0);
    expect(asked.state).toBe("waiting");
    if (how === "aborted") controller.abort();
    if (how === "too late") await one.later(50);
    if (how === "refused") for (const lease of leases) lease.settle();
    await one.later(0);
    expect(asked.state).toBe("rejected");
    leases[1]!.settle();
    expect(one.refusal({ requests: 2 }).reasons[0]!.reason).toBe("quota");
    one.take();
  });

  it("an abort of the last waiter stops the timer", async () => {
    const { one } = busy();
    const controller = new AbortController();
    one.ask({ signal: controller.signal });
    expect(one.clock.outstanding).toBe(1);
    controller.abort();
    expect(one.clock.outstanding).toBe(0);
    await turns();
    expect(one.limiter.inspect().waiting).toEqual({});
  });

  it("an abort after the grant changes nothing, and no listener remains", async () => {
    const { one, leases } = busy();
    const controller = new AbortController();
    const asked = one.ask({ signal: controller.signal });
    leases[0]!.settle();
    await one.later(0);
    expect(asked.state).toBe("granted");
    expect(listeners(controller.signal)).toBe(0);
    controller.abort();
    await one.later(0);
    expect(asked.lease!.settled).toBe(false);
    expect(one.counted("concurrency")).toBe(1);
  });

  it.each([
    "right after the settle",
    "in the event of the grant",
    "in the event of another's grant",
    "before the settle",
  ])("an abort at the instant of the grant: %s", async (when) => {
    const { one, leases } = busy(2);
    const controller = new AbortController();
    if (when.startsWith("in the event")) one.limiter.on("leaseGranted", () => controller.abort("now"));
    const other = when.includes("another") ? one.ask() : null;
    const asked = one.ask({ signal: controller.signal });
    const behind = one.ask();
    if (when === "before the settle") controller.abort("now");
    leases[0]!.settle();
    if (other !== null) leases[1]!.settle();
    if (when === "right after the settle") controller.abort("now");
    await one.later(0);
    expect(listeners(controller.signal)).toBe(0);
    if (asked.state === "rejected") {
      expect(asked.error).toBe("now");
      expect(behind.state).toBe("granted");
    } else {
      expect(asked.state).toBe("granted");
      expect(asked.lease!.settled).toBe(false);
      asked.lease!.settle();
      await one.later(0);
      expect(behind.state).toBe("granted");
    }
    for (const lease of [...leases, other?.lease, behind.lease]) lease?.settle();
    await one.later(1_000);
    expect(one.counted("concurrency")).toBe(0);
    expect(one.limiter.inspect().waiting).toEqual({});
    expect(one.clock.outstanding).toBe(0);
  });

  it("50 waiters on one signal share one listener, and none remains afterwards", async () => {
    const { one, leases } = busy(3);
    const controller = new AbortController();
    const warned: unknown[] = [];
    const listen = (warning: unknown) => warned.push(warning);
    process.on("warning", listen);
    const line = Array.from({ length: 50 }, () => one.ask({ signal: controller.signal }));
    const others = Array.from({ length: 3 }, () => new AbortController());
    for (const { signal } of others) one.ask({ signal });
    expect(listeners(controller.signal)).toBe(1);
    for (const { signal } of others) expect(listeners(signal)).toBe(1);
    for (const lease of leases) lease.settle();
    await one.later(0);
    expect(line.filter(({ state }) => state === "granted")).toHaveLength(3);
    expect(listeners(controller.signal)).toBe(1);
    controller.abort("enough");
    await one.later(0);
    expect(line.filter(({ state }) => state === "rejected")).toHaveLength(47);
    for (const { state, error } of line) if (state === "rejected") expect(error).toBe("enough");
    expect(listeners(controller.signal)).toBe(0);
    expect(one.limiter.inspect().waiting).toEqual({ chat: 3 });
    await new Promise((resolve) => setTimeout(resolve, 5));
    process.off("warning", listen);
    expect(warned).toEqual([]);
  });

  it("no listener remains after a grant, a deadline, a refusal, a full queue, or a close", async () => {
    const one = desk({ limits: { concurrency: 1 } }, { maxWaiting: 2 });
    const signals = Array.from({ length: 6 }, () => new AbortController().signal);
    const lease = one.take();
    one.ask({ signal: signals[0]! });
    one.ask({ signal: signals[1]!, maxWaitMs: 500 });
    one.ask({ signal: signals[2]! });
    one.ask({ signal: signals[3]!, exclude: ["a"] });
    await one.later(0);
    expect(signals.map(listeners)).toEqual([1, 1, 0, 0, 0, 0]);
    await one.later(500);
    lease.settle();
    await one.later(0);
    expect(signals.map(listeners)).toEqual([0, 0, 0, 0, 0, 0]);
    one.ask({ signal: signals[4]! });
    expect(listeners(signals[4]!)).toBe(1);
    one.limiter.close();
    one.ask({ signal: signals[5]! });
    await one.later(0);
    expect(signals.map(listeners)).toEqual([0, 0, 0, 0, 0, 0]);
  });
});

describe("changes during the wait", () => {
  it("waiters of a removed capability stop waiting, at the latest at the deadline", async () => {
    const { one, leases } = busy();
    const asked = one.ask({ maxWaitMs: 5_000 });
    one.limiter.removeCapability("chat");
    leases[0]!.settle();
    await one.at(5_000);
    expect(asked.state).toBe("rejected");
    expect(one.limiter.inspect().waiting).toEqual({});
    expect(one.clock.outstanding).toBe(0);
    expect(one.counted("concurrency")).toBe(0);
  });

  it("a strategy that throws rejects that waiter with its error; the others continue and nothing is reserved", async () => {
    let angry: string | null = null;
    const one = new Desk({
      scoring: {
        score: ({ capability }) => {
          if (capability === angry) throw new RangeError("mine");
          return 1;
        },
      },
      providers: [{ name: "a", limits: { concurrency: 1 } }],
      capabilities: { chat: ["a"], mail: ["a"] },
    });
    const lease = one.take();
    const asked = [one.ask({}, "mail"), one.ask({}, "chat")];
    angry = "mail";
    lease.settle();
    await one.later(0);
    expect(asked[0]).toMatchObject({ state: "rejected", error: expect.any(RangeError) });
    expect(asked[1]!.state).toBe("granted");
    expect(() => one.limiter.tryAcquire("mail")).toThrow("mine");
    await expect(one.limiter.acquire("mail")).rejects.toThrow("mine");
    expect(one.counted("concurrency")).toBe(1);
    expect(one.limiter.inspect().waiting).toEqual({});
  });

  it("a listener can close the limiter, abort, or call it again during a call", async () => {
    for (const act of ["close", "abort", "ask", "settle"]) {
      const one = desk({ limits: { concurrency: 2 } });
      const controller = new AbortController();
      const leases = [one.take(), one.take()];
      let times = 0;
      one.limiter.on("leaseGranted", ({ lease }) => {
        if (times++ > 5) return;
        if (act === "close") one.limiter.close();
        if (act === "abort") controller.abort();
        if (act === "ask") one.ask({ maxWaitMs: 10 });
        if (act === "settle") lease.settle();
      });
      const asked = Array.from({ length: 5 }, () => one.ask({ signal: controller.signal, maxWaitMs: 1_000 }));
      for (const lease of leases) lease.settle();
      await one.later(2_000);
      expect(asked.map(({ state }) => state)).not.toContain("waiting");
      const granted = asked.filter(({ state }) => state === "granted").length;
      expect(granted).toBeGreaterThanOrEqual(1);
      for (const { lease } of asked) lease?.settle();
      await one.later(2_000);
      expect(one.limiter.inspect()).toMatchObject({ waiting: {}, providers: [{ name: "a" }] });
      expect(one.clock.outstanding).toBe(0);
    }
  });
});

describe("close()", () => {
  it("close rejects all queued and all later calls, and open leases can still end", async () => {
    const { one, leases } = busy();
    const asked = [one.ask(), one.ask({ maxWaitMs: Infinity })];
    one.limiter.close();
    expect(one.clock.outstanding).toBe(0);
    asked.push(one.ask());
    await one.later(0);
    for (const { state, error } of asked) {
      expect(state).toBe("rejected");
      expect(error).toMatchObject({ code: "closed" });
    }
    expect(one.limiter.inspect().waiting).toEqual({});
    leases[0]!.settle({ latencyMs: 7 });
    expect(one.limiter.inspect().providers[0]).toMatchObject({ inFlight: 0, latencyMs: 7 });
    one.limiter.close();
  });
});

describe("the number of timers", () => {
  it("there is never more than one timer, and none while no call waits", async () => {
    const one = new Desk({
      providers: [
        { name: "a", limits: { rpm: 2, concurrency: 2 } },
        { name: "b", limits: { rps: 1 } },
        { name: "c", limits: { concurrency: 1 } },
      ],
      capabilities: { chat: ["a"], mail: ["b"], sms: ["c"], any: ["a", "b", "c"] },
    });
    one.limiter.select("any");
    for (const capability of ["chat", "chat", "mail", "sms"]) one.take({}, capability).headersReceived();
    one.limiter.observe({ provider: "c", outcome: { status: "rate_limited", retryAfterMs: 3_000 } });
    one.clock.set(500);
    one.limiter.inspect();
    expect(one.clock.asked).toBe(0);
    const asked = ["chat", "mail", "mail", "sms", "any", "any", "chat"].map((capability, i) =>
      one.ask({ maxWaitMs: 100_000 + i * 7, priority: i % 2 }, capability),
    );
    for (let i = 0; i < 400; i++) {
      await one.later(293);
      const isWaited = Object.keys(one.limiter.inspect().waiting).length > 0;
      expect(one.clock.outstanding).toBe(isWaited ? 1 : 0);
    }
    expect(one.clock.most).toBe(1);
    expect(asked.map(({ state }) => state)).not.toContain("waiting");
    expect(one.clock.outstanding).toBe(0);
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
      await turns();
      expect(lease).toBeNull();
    }
    now = 60_000;
    for (const wake of [...wakes]) wake();
    await turns();
    expect(lease).not.toBeNull();
    for (const wake of [...wakes]) wake();
    now = 1e9;
    for (const wake of [...wakes]) wake();
    await turns();
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
