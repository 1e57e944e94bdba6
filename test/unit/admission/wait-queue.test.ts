// The wait queue: the order of service, the requests that can overtake, and the events that wake waiters.
import { describe, expect, it } from "vitest";
import { type Lease, PriorityScorer } from "../../../src/index.ts";
import { type AcquireState, chatFixture, LimiterFixture, rejection } from "../../support/limiter-fixture.ts";

const states = (asked: readonly AcquireState[]) => asked.map(({ state }) => state);
const LONG = { maxWaitMs: 1e7 };

/** A provider with one place, which is occupied. */
function occupiedFixture(concurrency = 1): { fixture: LimiterFixture; leases: Lease[] } {
  const fixture = chatFixture({ limits: { concurrency } });
  return { fixture, leases: Array.from({ length: concurrency }, () => fixture.grant()) };
}

describe("the order of the wait queue", () => {
  it("higher priority is served first, and equal priority in the order of arrival", async () => {
    const { fixture, leases } = occupiedFixture();
    const order: string[] = [];
    const ask = (name: string, priority?: number) =>
      fixture.limiter.acquire("chat", { ...LONG, priority }).then((lease) => {
        order.push(name);
        lease.settle();
      });
    const all = [ask("a0"), ask("b5", 5), ask("c0", 0), ask("d9.5", 9.5), ask("e5", 5), ask("f-3", -3), ask("g0")];
    expect(fixture.limiter.inspect().waiting).toEqual({ chat: 7 });
    leases[0]!.settle();
    await Promise.all(all);
    expect(order).toEqual(["d9.5", "b5", "e5", "a0", "c0", "g0", "f-3"]);
    expect(fixture.limiter.inspect().waiting).toEqual({});
  });

  it("the order holds across capabilities that share a provider", async () => {
    const fixture = new LimiterFixture({
      providers: [
        { name: "a", limits: { concurrency: 1 } },
        { name: "b", limits: { concurrency: 1 } },
      ],
      capabilities: { chat: ["a"], mail: ["a"], sms: ["b"] },
    });
    const lease = fixture.grant();
    const line = [
      fixture.acquire(LONG, "mail"),
      fixture.acquire(LONG, "chat"),
      fixture.acquire({ ...LONG, priority: 1 }, "chat"),
    ];
    expect(fixture.limiter.inspect().waiting).toEqual({ mail: 1, chat: 2 });
    const other = fixture.acquire(LONG, "sms");
    await fixture.advance(0);
    expect(other.state).toBe("granted");
    lease.settle();
    await fixture.advance(0);
    expect(states(line)).toEqual(["waiting", "waiting", "granted"]);
    line[2]!.lease!.settle();
    await fixture.advance(0);
    expect(states(line)).toEqual(["granted", "waiting", "granted"]);
    line[0]!.lease!.settle();
    await fixture.advance(0);
    expect(states(line)).toEqual(["granted", "granted", "granted"]);
  });

  it("a request does not wait if there is capacity", async () => {
    const fixture = chatFixture({ limits: { concurrency: 2 } });
    const asked = fixture.acquire({ maxWaitMs: 0 });
    await fixture.advance(0);
    expect(asked).toMatchObject({ state: "granted", atMs: 0 });
    expect(asked.lease!.decision.waitMs).toBe(0);
    expect(fixture.clock.asked).toBe(0);
  });

  it("small requests do not starve a large one", async () => {
    const fixture = chatFixture({ limits: { tpm: 100 } });
    for (let i = 0; i < 9; i++) {
      fixture.clock.set(i * 1_000);
      fixture.grant({ tokens: 10 }).settle();
    }
    const big = fixture.acquire({ tokens: 100, ...LONG });
    const small = Array.from({ length: 4 }, () => fixture.acquire({ tokens: 10, ...LONG }));
    for (let at = 60_000; at < 68_000; at += 1_000) {
      await fixture.advanceTo(at);
      expect(states([big, ...small])).toEqual(Array(5).fill("waiting"));
      const { reasons } = fixture.refusal({ tokens: 1 });
      expect(reasons).toEqual([expect.objectContaining({ provider: "a", reason: "waiters_ahead" })]);
    }
    await fixture.advanceTo(68_000);
    expect(states([big, ...small])).toEqual(["granted", "waiting", "waiting", "waiting", "waiting"]);
    big.lease!.settle({ usage: { tokens: 65 } });
    await fixture.advance(0);
    expect(states(small)).toEqual(["granted", "granted", "granted", "waiting"]);
  });

  it("tryAcquire overtakes no waiter, not even one of higher priority that came later", async () => {
    const { fixture, leases } = occupiedFixture(2);
    const asked = [fixture.acquire(LONG), fixture.acquire({ ...LONG, priority: 3 }), fixture.acquire(LONG)];
    leases[0]!.settle();
    await fixture.advance(0);
    expect(states(asked)).toEqual(["waiting", "granted", "waiting"]);
    expect(fixture.refusal().reasons[0]!.reason).toMatch(/waiters_ahead|concurrency/);
    leases[1]!.settle();
    asked[1]!.lease!.settle();
    await fixture.advance(0);
    expect(states(asked)).toEqual(["granted", "granted", "granted"]);
  });

  it("tryAcquire overtakes no waiter, not even one of the lowest priority", async () => {
    const fixture = chatFixture({ limits: { tpm: 10 } });
    fixture.grant({ tokens: 5 });
    const last = fixture.acquire({ ...LONG, tokens: 8, priority: -Number.MAX_VALUE });
    await fixture.advance(0);
    expect(last.state).toBe("waiting");
    expect(fixture.refusal({ tokens: 1 }).reasons[0]!.reason).toBe("waiters_ahead");
  });

  it("a request that needs nothing of the waiters ahead overtakes them", async () => {
    const fixture = new LimiterFixture({
      providers: [
        {
          name: "a",
          quotas: [
            { dimension: "tokens", limit: 10, window: "minute" },
            { dimension: "bytes", limit: 10, window: "minute" },
          ],
        },
        { name: "b", limits: { concurrency: 1 } },
      ],
      capabilities: { chat: ["a"], mail: ["b"], either: ["a", "b"] },
    });
    fixture.grant({ tokens: 9, bytes: 0 }).settle();
    const ahead = fixture.acquire({ tokens: 5, bytes: 0, priority: 8 });
    const dimension = fixture.acquire({ tokens: 0, bytes: 3 });
    const provider = fixture.acquire({ tokens: 1 }, "mail");
    const shut = fixture.acquire({ tokens: 1, bytes: 1 });
    await fixture.advance(0);
    expect(states([ahead, dimension, provider, shut])).toEqual(["waiting", "granted", "granted", "waiting"]);
    // 7 bytes remain, and the waiter claims one of them.
    expect(fixture.hasCapacity({ tokens: 0, bytes: 6 })).toBe(true);
    expect(fixture.hasCapacity({ tokens: 0, bytes: 7 })).toBe(false);
    provider.lease!.settle();
    const second = fixture.acquire({ tokens: 1, bytes: 1 }, "either");
    await fixture.advance(0);
    expect(second).toMatchObject({ state: "granted", lease: { provider: "b" } });
  });

  it("a waiter that another provider can serve does not wait for the provider of the waiter ahead", async () => {
    const fixture = new LimiterFixture({
      scoring: new PriorityScorer(),
      providers: [
        { name: "a", limits: { concurrency: 1 }, priority: 20 },
        { name: "b", limits: { concurrency: 2 } },
      ],
      capabilities: { chat: ["a", "b"], only: ["a"] },
    });
    fixture.grant();
    const asked = [fixture.acquire(LONG, "only"), fixture.acquire(LONG), fixture.acquire(LONG), fixture.acquire(LONG)];
    await fixture.advance(0);
    expect(asked.map(({ lease }) => lease?.provider)).toEqual([undefined, "b", "b", undefined]);
  });

  it.each(["dead", "paused", "removed", "too small for it"])(
    "a waiter is not delayed by one that waits for a provider that is %s",
    async (why) => {
      const fixture = new LimiterFixture({
        pools: { org: { limits: { tpm: 100 } } },
        providers: [
          { name: "a", limits: { concurrency: 1, tpm: 50 }, pools: ["org"] },
          { name: "b", limits: { concurrency: 1 }, pools: ["org"] },
        ],
        capabilities: { chat: ["a"], mail: ["b"], both: ["a", "b"] },
      });
      const leases = [fixture.grant({ tokens: 10 }), fixture.grant({ tokens: 10 }, "mail")];
      const ahead = fixture.acquire({ tokens: why === "too small for it" ? 51 : 40, ...LONG }, "both");
      const behind = fixture.acquire({ tokens: 50, ...LONG });
      if (why === "dead")
        fixture.limiter.observe({ provider: "a", usage: { requests: 0 }, outcome: { status: "unauthorized" } });
      if (why === "paused") fixture.limiter.updateProvider("a", { paused: true });
      if (why === "removed") fixture.limiter.removeProvider("a");
      if (why === "too small for it") {
        expect(fixture.refusal({ tokens: 51 }, "both").reasons[0]).toMatchObject({
          provider: "a",
          reason: "too_large",
        });
        leases[1]!.settle({ usage: { tokens: 0 } });
        await fixture.advance(0);
        expect(ahead).toMatchObject({ state: "granted", lease: { provider: "b" } });
        return;
      }
      // A waiter for "a" only stays behind, and a waiter for "b" only is served directly afterwards.
      const third = fixture.acquire({ tokens: 20, ...LONG }, "mail");
      leases[1]!.settle({ usage: { tokens: 0 } });
      await fixture.advance(0);
      expect([ahead.state, ahead.lease?.provider, third.state]).toEqual(["granted", "b", "waiting"]);
      ahead.lease!.settle({ usage: { tokens: 0 } });
      await fixture.advance(0);
      expect(third.state).toBe("granted");
      expect(behind.state).not.toBe("granted");
    },
  );

  it("a smaller waiter of the same kind goes to a provider that is too small for the waiter ahead", async () => {
    const fixture = new LimiterFixture({
      providers: [
        { name: "a", limits: { concurrency: 1 } },
        { name: "b", limits: { concurrency: 1, tpm: 50 } },
      ],
      capabilities: { chat: ["a", "b"] },
    });
    fixture.grant({ only: ["a"] });
    const lease = fixture.grant({ only: ["b"], tokens: 1 });
    const line = [60, 70, 10, 10].map((tokens) => fixture.acquire({ tokens, ...LONG }));
    lease.settle();
    await fixture.advance(0);
    expect(states(line)).toEqual(["waiting", "waiting", "granted", "waiting"]);
    expect(line[2]!.lease!.provider).toBe("b");
  });
});

describe("starvation", () => {
  it("waiter k of unit requests is granted at the k-th release of a window", async () => {
    const fixture = chatFixture({ limits: { rpm: 8 } });
    for (let i = 0; i < 8; i++) {
      fixture.clock.set(i * 700);
      fixture.grant().settle();
    }
    const line = Array.from({ length: 8 }, () => fixture.acquire(LONG));
    for (let i = 0; i < 8; i++) {
      await fixture.advanceTo(60_000 + i * 700 - 1);
      expect(fixture.hasCapacity()).toBe(false);
      expect(line[i]!.state).toBe("waiting");
      await fixture.advanceTo(60_000 + i * 700);
      expect(line[i]!).toMatchObject({ state: "granted", atMs: 60_000 + i * 700 });
      line[i]!.lease!.settle();
    }
  });

  it("waiter k is granted at the k-th settlement, however many other calls arrive", async () => {
    const { fixture, leases } = occupiedFixture(3);
    const line = Array.from({ length: 12 }, () => fixture.acquire(LONG));
    const open = [...leases];
    for (let k = 1; k <= 12; k++) {
      for (let i = 0; i < 3; i++) fixture.refusal();
      fixture.acquire(LONG);
      open.shift()!.settle();
      await fixture.advance(10);
      expect(line.filter(({ state }) => state === "granted")).toHaveLength(k);
      open.push(line[k - 1]!.lease!);
    }
  });
});

describe("events that wake a waiter", () => {
  const wakes = async (fixture: LimiterFixture, asked: AcquireState, by: () => void) => {
    await fixture.advance(0);
    expect(asked.state).toBe("waiting");
    by();
    await fixture.advance(0);
    expect(asked.state).toBe("granted");
    expect(fixture.limiter.inspect().waiting).toEqual({});
    expect(fixture.clock.outstanding).toBe(0);
  };

  it("a settlement and a release wake a waiter", async () => {
    for (const end of [(lease: Lease) => lease.settle(), (lease: Lease) => lease.release()]) {
      const { fixture, leases } = occupiedFixture();
      const asked = fixture.acquire();
      await wakes(fixture, asked, () => end(leases[0]!));
    }
  });

  it("a settlement below the estimate, a report below it, and a refusal that returns amounts wake a waiter", async () => {
    const ends: ((lease: Lease) => void)[] = [
      (lease) => lease.settle({ usage: { tokens: 50 } }),
      (lease) => lease.report({ tokens: 50 }),
      (lease) => lease.settle({ status: "rate_limited" }),
      (lease) => lease.release(),
    ];
    for (const end of ends) {
      const fixture = chatFixture({ limits: { tpm: 100 } });
      const lease = fixture.grant({ tokens: 90 });
      const asked = fixture.acquire({ tokens: 50, maxWaitMs: 1_000 });
      await wakes(fixture, asked, () => end(lease));
    }
  });

  it("an abandoned place wakes a waiter when it becomes free", async () => {
    const { fixture, leases } = occupiedFixture();
    const asked = fixture.acquire();
    leases[0]!.settle({ status: "timeout" });
    await fixture.advanceTo(999);
    expect(asked.state).toBe("waiting");
    await fixture.advanceTo(1_000);
    expect(asked).toMatchObject({ state: "granted", atMs: 1_000 });
  });

  it("the expiry of a lease wakes a waiter", async () => {
    const fixture = chatFixture({ limits: { concurrency: 1 } }, { leaseTimeoutMs: 5_000 });
    fixture.grant();
    const asked = fixture.acquire();
    await fixture.advanceTo(5_999);
    expect(asked.state).toBe("waiting");
    await fixture.advanceTo(6_000);
    expect(asked).toMatchObject({ state: "granted", atMs: 6_000 });
  });

  it("the next release of a window wakes a waiter", async () => {
    const fixture = chatFixture({ limits: { rpm: 1 } });
    fixture.grant();
    const asked = fixture.acquire({ maxWaitMs: 70_000 });
    await fixture.advanceTo(60_999);
    expect(asked.state).toBe("waiting");
    await fixture.advanceTo(61_000);
    expect(asked).toMatchObject({ state: "granted", atMs: 61_000 });
  });

  it("response headers that arrive before the cap wake a waiter", async () => {
    const fixture = chatFixture({ limits: { rpm: 1 } }, { skewCapMs: Number.POSITIVE_INFINITY });
    const lease = fixture.grant();
    const asked = fixture.acquire({ maxWaitMs: 1e6 });
    await fixture.advanceTo(100_000);
    lease.headersReceived();
    await fixture.advanceTo(159_999);
    expect(asked.state).toBe("waiting");
    await fixture.advanceTo(160_000);
    expect(asked).toMatchObject({ state: "granted", atMs: 160_000 });
  });

  it("the refill of a token bucket and the reset of a fixed window wake a waiter", async () => {
    for (const [strategy, at] of [
      ["token_bucket", 20_000],
      ["fixed_window", 60_000],
    ] as const) {
      const fixture = chatFixture({ quotas: [{ dimension: "requests", limit: 3, window: "minute", strategy }] });
      for (let i = 0; i < 3; i++) fixture.grant().settle();
      const asked = fixture.acquire();
      await fixture.advanceTo(at - 1);
      expect(asked.state, strategy).toBe("waiting");
      await fixture.advanceTo(at);
      expect(asked, strategy).toMatchObject({ state: "granted", atMs: at });
    }
  });

  it("the end of a cooldown wakes a waiter", async () => {
    const fixture = chatFixture();
    fixture.limiter.observe({ provider: "a", outcome: { status: "rate_limited", retryAfterMs: 30_000 } });
    const asked = [fixture.acquire(), fixture.acquire()];
    await fixture.advanceTo(29_999);
    expect(states(asked)).toEqual(["waiting", "waiting"]);
    await fixture.advanceTo(30_000);
    // A trial is one lease at a time.
    expect(states(asked)).toEqual(["granted", "waiting"]);
    expect(asked[0]!.atMs).toBe(30_000);
    asked[0]!.lease!.settle();
    await fixture.advance(0);
    expect(states(asked)).toEqual(["granted", "granted"]);
  });

  it("recovering health wakes a waiter", async () => {
    const fixture = chatFixture({}, { minimumHealthScore: 0.6, health: { penalty403: 0.5 } });
    fixture.limiter.observe({ provider: "a", outcome: { status: "forbidden" } });
    const { retryAfterMs } = fixture.refusal();
    const asked = fixture.acquire({ maxWaitMs: 1e6 });
    await fixture.advanceTo(retryAfterMs! - 1);
    expect(asked.state).toBe("waiting");
    await fixture.advanceTo(retryAfterMs!);
    expect(asked.state).toBe("granted");
  });

  it("updateProvider wakes a waiter: a higher limit, no limit, no pause, another pool", async () => {
    const raised = occupiedFixture();
    await wakes(raised.fixture, raised.fixture.acquire(), () =>
      raised.fixture.limiter.updateProvider("a", { limits: { concurrency: 2 } }),
    );
    const freed = occupiedFixture();
    await wakes(freed.fixture, freed.fixture.acquire(), () =>
      freed.fixture.limiter.updateProvider("a", { limits: { concurrency: null } }),
    );
    const fixture = new LimiterFixture({
      providers: [
        { name: "a", paused: true },
        { name: "b", limits: { concurrency: 1 } },
      ],
      capabilities: { chat: ["a", "b"] },
    });
    fixture.grant();
    await wakes(fixture, fixture.acquire(), () => fixture.limiter.updateProvider("a", { paused: false }));
  });

  it("upsertProvider wakes a waiter: a changed quota that starts empty, a new provider, a provider that is no longer dead", async () => {
    const fixture = chatFixture({ limits: { rpm: 1 } });
    fixture.limiter.observe({ provider: "a", outcome: { status: "success" } });
    await wakes(fixture, fixture.acquire(), () => fixture.limiter.upsertProvider({ name: "a", limits: { rpm: 2 } }));
    const two = new LimiterFixture({
      providers: [{ name: "b", limits: { concurrency: 1 } }],
      capabilities: { chat: ["a", "b"] },
    });
    two.grant();
    await wakes(two, two.acquire(), () => two.limiter.upsertProvider({ name: "a" }));
    const three = new LimiterFixture({
      providers: [{ name: "a" }, { name: "b", limits: { concurrency: 1 } }],
      capabilities: { chat: ["a", "b"] },
    });
    three.limiter.observe({ provider: "a", outcome: { status: "unauthorized" } });
    three.grant();
    await wakes(three, three.acquire(), () => three.limiter.upsertProvider({ name: "a" }));
  });

  it("upsertPool wakes the waiters of all its providers", async () => {
    const fixture = new LimiterFixture({
      pools: { org: { limits: { concurrency: 1 } } },
      providers: [
        { name: "a", pools: ["org"] },
        { name: "b", pools: ["org"] },
      ],
      capabilities: { chat: ["a"], mail: ["b"] },
    });
    fixture.grant();
    const asked = [fixture.acquire(LONG, "mail"), fixture.acquire(LONG), fixture.acquire(LONG)];
    fixture.limiter.upsertPool({ name: "org", limits: { concurrency: 3 } });
    await fixture.advance(0);
    expect(states(asked)).toEqual(["granted", "granted", "waiting"]);
  });

  it("reviveProvider wakes a waiter: after death, a cooldown, or bad health", async () => {
    for (const status of ["unauthorized", "rate_limited"] as const) {
      const fixture = new LimiterFixture({
        providers: [{ name: "a" }, { name: "b", limits: { concurrency: 1 } }],
        capabilities: { chat: ["a", "b"] },
      });
      fixture.limiter.observe({ provider: "a", outcome: { status, retryAfterMs: 40_000 } });
      fixture.grant();
      await wakes(fixture, fixture.acquire(), () => fixture.limiter.reviveProvider("a"));
    }
  });

  it("upsertCapability with a provider that has capacity wakes a waiter", async () => {
    const fixture = new LimiterFixture({
      providers: [{ name: "a", limits: { concurrency: 1 } }, { name: "b" }],
      capabilities: { chat: ["a"] },
    });
    fixture.grant();
    const asked = fixture.acquire(LONG);
    fixture.limiter.upsertCapability({ name: "chat", providers: ["a", "b"] });
    await fixture.advance(0);
    // A waiter might have asked for the old list; it must not stay in the queue for ever either.
    if (asked.state === "granted") expect(asked.lease!.provider).toBe("b");
  });

  it("removing a provider wakes the waiters that its waiters blocked", async () => {
    const fixture = new LimiterFixture({
      pools: { org: { limits: { tpm: 100 } } },
      providers: [
        { name: "a", pools: ["org"] },
        { name: "b", pools: ["org"] },
      ],
      capabilities: { chat: ["a"], mail: ["b"] },
    });
    fixture.grant({ tokens: 60 }).headersReceived();
    const big = fixture.acquire({ tokens: 90, ...LONG });
    const small = fixture.acquire({ tokens: 30, ...LONG }, "mail");
    await fixture.advance(0);
    expect(states([big, small])).toEqual(["waiting", "waiting"]);
    fixture.limiter.removeProvider("a");
    await fixture.advance(0);
    expect(small.state).toBe("granted");
    expect(big.state).not.toBe("granted");
  });

  it("a waiter that gives up wakes the waiters behind it", async () => {
    const fixture = chatFixture({ limits: { tpm: 100 } });
    fixture.grant({ tokens: 60 }).headersReceived();
    const controller = new AbortController();
    const aborted = fixture.acquire({ tokens: 90, ...LONG, signal: controller.signal });
    const late = fixture.acquire({ tokens: 50, maxWaitMs: 59_000 });
    const small = fixture.acquire({ tokens: 30, ...LONG });
    await fixture.advance(0);
    expect(aborted.state).toBe("waiting");
    controller.abort();
    await fixture.advance(0);
    if (late.state === "waiting") {
      expect(small.state).toBe("waiting");
      await fixture.advanceTo(59_000);
    }
    expect(late.state).toBe("rejected");
    expect(small.state).toBe("granted");
  });

  it("an observation that ends a trial wakes a waiter", async () => {
    const fixture = chatFixture();
    fixture.limiter.observe({ provider: "a", outcome: { status: "rate_limited", retryAfterMs: 1_000 } });
    fixture.clock.set(1_000);
    fixture.grant();
    const asked = fixture.acquire();
    await wakes(fixture, asked, () => fixture.limiter.observe({ provider: "a", outcome: { status: "success" } }));
  });

  it("an event wakes exactly the waiters that can be served", async () => {
    const { fixture, leases } = occupiedFixture(5);
    const line = Array.from({ length: 9 }, () => fixture.acquire(LONG));
    leases[3]!.settle();
    leases[1]!.settle();
    await fixture.advance(0);
    expect(states(line)).toEqual(["granted", "granted", ...Array(7).fill("waiting")]);
    expect(fixture.limiter.inspect().waiting).toEqual({ chat: 7 });
  });
});

describe("a bounded wait queue", () => {
  it("a full queue rejects with queue_full, but grants requests that do not need to wait", async () => {
    const fixture = new LimiterFixture({
      maxWaiting: 2,
      providers: [{ name: "a", limits: { concurrency: 1 } }, { name: "b" }],
      capabilities: { chat: ["a"], mail: ["b"] },
    });
    const lease = fixture.grant();
    const line = [
      fixture.acquire(LONG),
      fixture.acquire(LONG),
      fixture.acquire({ ...LONG, priority: 9 }),
      fixture.acquire(LONG),
    ];
    const free = fixture.acquire(LONG, "mail");
    await fixture.advance(0);
    expect(states(line)).toEqual(["waiting", "waiting", "rejected", "rejected"]);
    expect(free.state).toBe("granted");
    expect(rejection(line[2]!)).toMatchObject({ kind: "queue_full", capability: "chat", attempts: [] });
    expect(rejection(line[2]!).reasons).toHaveLength(1);
    expect(fixture.limiter.inspect().waiting).toEqual({ chat: 2 });
    lease.settle();
    await fixture.advance(0);
    expect(states(line.slice(0, 2))).toEqual(["granted", "waiting"]);
    const next = fixture.acquire(LONG);
    await fixture.advance(0);
    expect(next.state).toBe("waiting");
  });

  it("a queue of length 0 rejects every waiter, and the default length is 10,000", async () => {
    const none = chatFixture({ limits: { concurrency: 1 } }, { maxWaiting: 0 });
    none.grant();
    const asked = none.acquire();
    await none.advance(0);
    expect(rejection(asked).kind).toBe("queue_full");
    const { fixture } = occupiedFixture();
    const line = Array.from({ length: 10_001 }, () => fixture.acquire(LONG));
    await fixture.advance(0);
    expect(line.filter(({ state }) => state === "waiting")).toHaveLength(10_000);
    expect(rejection(line.at(-1)!).kind).toBe("queue_full");
  });
});
