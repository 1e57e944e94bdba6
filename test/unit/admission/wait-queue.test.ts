// The wait queue: the order of service, the requests that can overtake, and the bound of its length.
import { describe, expect, it } from "vitest";
import { PriorityScorer } from "../../../src/index.ts";
import {
  chatFixture,
  LimiterFixture,
  LONG_WAIT,
  occupiedFixture,
  rejection,
  statesOf,
} from "../../support/limiter-fixture.ts";

describe("the order of the wait queue", () => {
  it("higher priority is served first, and equal priority in the order of arrival", async () => {
    const { fixture, leases } = occupiedFixture();
    const order: string[] = [];
    const ask = (name: string, priority?: number) =>
      fixture.limiter.acquire("chat", { ...LONG_WAIT, priority }).then((lease) => {
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
      fixture.acquire(LONG_WAIT, "mail"),
      fixture.acquire(LONG_WAIT, "chat"),
      fixture.acquire({ ...LONG_WAIT, priority: 1 }, "chat"),
    ];
    expect(fixture.limiter.inspect().waiting).toEqual({ mail: 1, chat: 2 });
    const other = fixture.acquire(LONG_WAIT, "sms");
    await fixture.advance(0);
    expect(other.state).toBe("granted");
    lease.settle();
    await fixture.advance(0);
    expect(statesOf(line)).toEqual(["waiting", "waiting", "granted"]);
    line[2]!.lease!.settle();
    await fixture.advance(0);
    expect(statesOf(line)).toEqual(["granted", "waiting", "granted"]);
    line[0]!.lease!.settle();
    await fixture.advance(0);
    expect(statesOf(line)).toEqual(["granted", "granted", "granted"]);
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
    const big = fixture.acquire({ tokens: 100, ...LONG_WAIT });
    const small = Array.from({ length: 4 }, () => fixture.acquire({ tokens: 10, ...LONG_WAIT }));
    for (let at = 60_000; at < 68_000; at += 1_000) {
      await fixture.advanceTo(at);
      expect(statesOf([big, ...small])).toEqual(Array(5).fill("waiting"));
      const { reasons } = fixture.refusal({ tokens: 1 });
      expect(reasons).toEqual([expect.objectContaining({ provider: "a", reason: "waiters_ahead" })]);
    }
    await fixture.advanceTo(68_000);
    expect(statesOf([big, ...small])).toEqual(["granted", "waiting", "waiting", "waiting", "waiting"]);
    big.lease!.settle({ usage: { tokens: 65 } });
    await fixture.advance(0);
    expect(statesOf(small)).toEqual(["granted", "granted", "granted", "waiting"]);
  });

  it("tryAcquire overtakes no waiter, not even one of higher priority that came later", async () => {
    const { fixture, leases } = occupiedFixture(2);
    const asked = [
      fixture.acquire(LONG_WAIT),
      fixture.acquire({ ...LONG_WAIT, priority: 3 }),
      fixture.acquire(LONG_WAIT),
    ];
    leases[0]!.settle();
    await fixture.advance(0);
    expect(statesOf(asked)).toEqual(["waiting", "granted", "waiting"]);
    expect(fixture.refusal().reasons[0]!.reason).toMatch(/waiters_ahead|concurrency/);
    leases[1]!.settle();
    asked[1]!.lease!.settle();
    await fixture.advance(0);
    expect(statesOf(asked)).toEqual(["granted", "granted", "granted"]);
  });

  it("tryAcquire overtakes no waiter, not even one of the lowest priority", async () => {
    const fixture = chatFixture({ limits: { tpm: 10 } });
    fixture.grant({ tokens: 5 });
    const last = fixture.acquire({ ...LONG_WAIT, tokens: 8, priority: -Number.MAX_VALUE });
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
    expect(statesOf([ahead, dimension, provider, shut])).toEqual(["waiting", "granted", "granted", "waiting"]);
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
    const asked = [
      fixture.acquire(LONG_WAIT, "only"),
      fixture.acquire(LONG_WAIT),
      fixture.acquire(LONG_WAIT),
      fixture.acquire(LONG_WAIT),
    ];
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
      const ahead = fixture.acquire({ tokens: why === "too small for it" ? 51 : 40, ...LONG_WAIT }, "both");
      const behind = fixture.acquire({ tokens: 50, ...LONG_WAIT });
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
      const third = fixture.acquire({ tokens: 20, ...LONG_WAIT }, "mail");
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
    const line = [60, 70, 10, 10].map((tokens) => fixture.acquire({ tokens, ...LONG_WAIT }));
    lease.settle();
    await fixture.advance(0);
    expect(statesOf(line)).toEqual(["waiting", "waiting", "granted", "waiting"]);
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
    const line = Array.from({ length: 8 }, () => fixture.acquire(LONG_WAIT));
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
    const line = Array.from({ length: 12 }, () => fixture.acquire(LONG_WAIT));
    const open = [...leases];
    for (let k = 1; k <= 12; k++) {
      for (let i = 0; i < 3; i++) fixture.refusal();
      fixture.acquire(LONG_WAIT);
      open.shift()!.settle();
      await fixture.advance(10);
      expect(line.filter(({ state }) => state === "granted")).toHaveLength(k);
      open.push(line[k - 1]!.lease!);
    }
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
      fixture.acquire(LONG_WAIT),
      fixture.acquire(LONG_WAIT),
      fixture.acquire({ ...LONG_WAIT, priority: 9 }),
      fixture.acquire(LONG_WAIT),
    ];
    const free = fixture.acquire(LONG_WAIT, "mail");
    await fixture.advance(0);
    expect(statesOf(line)).toEqual(["waiting", "waiting", "rejected", "rejected"]);
    expect(free.state).toBe("granted");
    expect(rejection(line[2]!)).toMatchObject({ kind: "queue_full", capability: "chat", attempts: [] });
    expect(rejection(line[2]!).reasons).toHaveLength(1);
    expect(fixture.limiter.inspect().waiting).toEqual({ chat: 2 });
    lease.settle();
    await fixture.advance(0);
    expect(statesOf(line.slice(0, 2))).toEqual(["granted", "waiting"]);
    const next = fixture.acquire(LONG_WAIT);
    await fixture.advance(0);
    expect(next.state).toBe("waiting");
  });

  it("a full queue grants capacity that no waiter claims, also to a call with a fairnessKey of its own", async () => {
    const fixture = new LimiterFixture({
      maxWaiting: 1,
      providers: [{ name: "a", limits: { concurrency: 1 } }, { name: "b" }],
      capabilities: { chat: ["a"], mail: ["b"] },
    });
    fixture.grant();
    const line = [
      fixture.acquire({ ...LONG_WAIT, fairnessKey: "x" }),
      fixture.acquire({ ...LONG_WAIT, fairnessKey: "y" }),
      fixture.acquire({ ...LONG_WAIT, fairnessKey: "y" }, "mail"),
      fixture.acquire(LONG_WAIT, "mail"),
    ];
    await fixture.advance(0);
    expect(statesOf(line)).toEqual(["waiting", "rejected", "granted", "granted"]);
  });

  it("a queue of length 0 rejects every waiter, and the default length is 10,000", async () => {
    const none = chatFixture({ limits: { concurrency: 1 } }, { maxWaiting: 0 });
    none.grant();
    const asked = none.acquire();
    await none.advance(0);
    expect(rejection(asked).kind).toBe("queue_full");
    const { fixture } = occupiedFixture();
    const line = Array.from({ length: 10_001 }, () => fixture.acquire(LONG_WAIT));
    await fixture.advance(0);
    expect(line.filter(({ state }) => state === "waiting")).toHaveLength(10_000);
    expect(rejection(line.at(-1)!).kind).toBe("queue_full");
  });
});
