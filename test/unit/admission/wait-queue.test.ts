// The wait queue: the order of service, the requests that can overtake, and the events that wake waiters.
import { describe, expect, it } from "vitest";
import { type Lease, PriorityScorer } from "../../../src/index.ts";
import { type Asked, Desk, desk, rejection } from "../../support/limiter-fixture.ts";

const states = (asked: readonly Asked[]) => asked.map(({ state }) => state);
const LONG = { maxWaitMs: 1e7 };

/** A provider with one place, which is occupied. */
function busy(concurrency = 1): { one: Desk; leases: Lease[] } {
  const one = desk({ limits: { concurrency } });
  return { one, leases: Array.from({ length: concurrency }, () => one.take()) };
}

describe("the order of the wait queue", () => {
  it("higher priority is served first, and equal priority in the order of arrival", async () => {
    const { one, leases } = busy();
    const order: string[] = [];
    const ask = (name: string, priority?: number) =>
      one.limiter.acquire("chat", { ...LONG, priority }).then((lease) => {
        order.push(name);
        lease.settle();
      });
    const all = [ask("a0"), ask("b5", 5), ask("c0", 0), ask("d9.5", 9.5), ask("e5", 5), ask("f-3", -3), ask("g0")];
    expect(one.limiter.inspect().waiting).toEqual({ chat: 7 });
    leases[0]!.settle();
    await Promise.all(all);
    expect(order).toEqual(["d9.5", "b5", "e5", "a0", "c0", "g0", "f-3"]);
    expect(one.limiter.inspect().waiting).toEqual({});
  });

  it("the order holds across capabilities that share a provider", async () => {
    const one = new Desk({
      providers: [
        { name: "a", limits: { concurrency: 1 } },
        { name: "b", limits: { concurrency: 1 } },
      ],
      capabilities: { chat: ["a"], mail: ["a"], sms: ["b"] },
    });
    const lease = one.take();
    const line = [one.ask(LONG, "mail"), one.ask(LONG, "chat"), one.ask({ ...LONG, priority: 1 }, "chat")];
    expect(one.limiter.inspect().waiting).toEqual({ mail: 1, chat: 2 });
    const other = one.ask(LONG, "sms");
    await one.later(0);
    expect(other.state).toBe("granted");
    lease.settle();
    await one.later(0);
    expect(states(line)).toEqual(["waiting", "waiting", "granted"]);
    line[2]!.lease!.settle();
    await one.later(0);
    expect(states(line)).toEqual(["granted", "waiting", "granted"]);
    line[0]!.lease!.settle();
    await one.later(0);
    expect(states(line)).toEqual(["granted", "granted", "granted"]);
  });

  it("a request does not wait if there is capacity", async () => {
    const one = desk({ limits: { concurrency: 2 } });
    const asked = one.ask({ maxWaitMs: 0 });
    await one.later(0);
    expect(asked).toMatchObject({ state: "granted", atMs: 0 });
    expect(asked.lease!.decision.waitMs).toBe(0);
    expect(one.clock.asked).toBe(0);
  });

  it("small requests do not starve a large one", async () => {
    const one = desk({ limits: { tpm: 100 } });
    for (let i = 0; i < 9; i++) {
      one.clock.set(i * 1_000);
      one.take({ tokens: 10 }).settle();
    }
    const big = one.ask({ tokens: 100, ...LONG });
    const small = Array.from({ length: 4 }, () => one.ask({ tokens: 10, ...LONG }));
    for (let at = 60_000; at < 68_000; at += 1_000) {
      await one.at(at);
      expect(states([big, ...small])).toEqual(Array(5).fill("waiting"));
      const { reasons } = one.refusal({ tokens: 1 });
      expect(reasons).toEqual([expect.objectContaining({ provider: "a", reason: "waiters_ahead" })]);
    }
    await one.at(68_000);
    expect(states([big, ...small])).toEqual(["granted", "waiting", "waiting", "waiting", "waiting"]);
    big.lease!.settle({ usage: { tokens: 65 } });
    await one.later(0);
    expect(states(small)).toEqual(["granted", "granted", "granted", "waiting"]);
  });

  it("tryAcquire overtakes no waiter, not even one of higher priority that came later", async () => {
    const { one, leases } = busy(2);
    const asked = [one.ask(LONG), one.ask({ ...LONG, priority: 3 }), one.ask(LONG)];
    leases[0]!.settle();
    await one.later(0);
    expect(states(asked)).toEqual(["waiting", "granted", "waiting"]);
    expect(one.refusal().reasons[0]!.reason).toMatch(/waiters_ahead|concurrency/);
    leases[1]!.settle();
    asked[1]!.lease!.settle();
    await one.later(0);
    expect(states(asked)).toEqual(["granted", "granted", "granted"]);
  });

  it("tryAcquire overtakes no waiter, not even one of the lowest priority", async () => {
    const one = desk({ limits: { tpm: 10 } });
    one.take({ tokens: 5 });
    const last = one.ask({ ...LONG, tokens: 8, priority: -Number.MAX_VALUE });
    await one.later(0);
    expect(last.state).toBe("waiting");
    expect(one.refusal({ tokens: 1 }).reasons[0]!.reason).toBe("waiters_ahead");
  });

  it("a request that needs nothing of the waiters ahead overtakes them", async () => {
    const one = new Desk({
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
    one.take({ tokens: 9, bytes: 0 }).settle();
    const ahead = one.ask({ tokens: 5, bytes: 0, priority: 8 });
    const dimension = one.ask({ tokens: 0, bytes: 3 });
    const provider = one.ask({ tokens: 1 }, "mail");
    const shut = one.ask({ tokens: 1, bytes: 1 });
    await one.later(0);
    expect(states([ahead, dimension, provider, shut])).toEqual(["waiting", "granted", "granted", "waiting"]);
    // 7 bytes remain, and the waiter claims one of them.
    expect(one.hasRoom({ tokens: 0, bytes: 6 })).toBe(true);
    expect(one.hasRoom({ tokens: 0, bytes: 7 })).toBe(false);
    provider.lease!.settle();
    const second = one.ask({ tokens: 1, bytes: 1 }, "either");
    await one.later(0);
    expect(second).toMatchObject({ state: "granted", lease: { provider: "b" } });
  });

  it("a waiter that another provider can serve does not wait for the provider of the waiter ahead", async () => {
    const one = new Desk({
      scoring: new PriorityScorer(),
      providers: [
        { name: "a", limits: { concurrency: 1 }, priority: 20 },
        { name: "b", limits: { concurrency: 2 } },
      ],
      capabilities: { chat: ["a", "b"], only: ["a"] },
    });
    one.take();
    const asked = [one.ask(LONG, "only"), one.ask(LONG), one.ask(LONG), one.ask(LONG)];
    await one.later(0);
    expect(asked.map(({ lease }) => lease?.provider)).toEqual([undefined, "b", "b", undefined]);
  });

  it.each(["dead", "paused", "removed", "too small for it"])(
    "a waiter is not delayed by one that waits for a provider that is %s",
    async (why) => {
      const one = new Desk({
        pools: { org: { limits: { tpm: 100 } } },
        providers: [
          { name: "a", limits: { concurrency: 1, tpm: 50 }, pools: ["org"] },
          { name: "b", limits: { concurrency: 1 }, pools: ["org"] },
        ],
        capabilities: { chat: ["a"], mail: ["b"], both: ["a", "b"] },
      });
      const leases = [one.take({ tokens: 10 }), one.take({ tokens: 10 }, "mail")];
      const ahead = one.ask({ tokens: why === "too small for it" ? 51 : 40, ...LONG }, "both");
      const behind = one.ask({ tokens: 50, ...LONG });
      if (why === "dead")
        one.limiter.observe({ provider: "a", usage: { requests: 0 }, outcome: { status: "unauthorized" } });
      if (why === "paused") one.limiter.updateProvider("a", { paused: true });
      if (why === "removed") one.limiter.removeProvider("a");
      if (why === "too small for it") {
        expect(one.refusal({ tokens: 51 }, "both").reasons[0]).toMatchObject({ provider: "a", reason: "too_large" });
        leases[1]!.settle({ usage: { tokens: 0 } });
        await one.later(0);
        expect(ahead).toMatchObject({ state: "granted", lease: { provider: "b" } });
        return;
      }
      // A waiter for "a" only stays behind, and a waiter for "b" only is served directly afterwards.
      const third = one.ask({ tokens: 20, ...LONG }, "mail");
      leases[1]!.settle({ usage: { tokens: 0 } });
      await one.later(0);
      expect([ahead.state, ahead.lease?.provider, third.state]).toEqual(["granted", "b", "waiting"]);
      ahead.lease!.settle({ usage: { tokens: 0 } });
      await one.later(0);
      expect(third.state).toBe("granted");
      expect(behind.state).not.toBe("granted");
    },
  );

  it("a smaller waiter of the same kind goes to a provider that is too small for the waiter ahead", async () => {
    const one = new Desk({
      providers: [
        { name: "a", limits: { concurrency: 1 } },
        { name: "b", limits: { concurrency: 1, tpm: 50 } },
      ],
      capabilities: { chat: ["a", "b"] },
    });
    one.take({ only: ["a"] });
    const lease = one.take({ only: ["b"], tokens: 1 });
    const line = [60, 70, 10, 10].map((tokens) => one.ask({ tokens, ...LONG }));
    lease.settle();
    await one.later(0);
    expect(states(line)).toEqual(["waiting", "waiting", "granted", "waiting"]);
    expect(line[2]!.lease!.provider).toBe("b");
  });
});

describe("starvation", () => {
  it("waiter k of unit requests is granted at the k-th release of a window", async () => {
    const one = desk({ limits: { rpm: 8 } });
    for (let i = 0; i < 8; i++) {
      one.clock.set(i * 700);
      one.take().settle();
    }
    const line = Array.from({ length: 8 }, () => one.ask(LONG));
    for (let i = 0; i < 8; i++) {
      await one.at(60_000 + i * 700 - 1);
      expect(one.hasRoom()).toBe(false);
      expect(line[i]!.state).toBe("waiting");
      await one.at(60_000 + i * 700);
      expect(line[i]!).toMatchObject({ state: "granted", atMs: 60_000 + i * 700 });
      line[i]!.lease!.settle();
    }
  });

  it("waiter k is granted at the k-th settlement, however many other calls arrive", async () => {
    const { one, leases } = busy(3);
    const line = Array.from({ length: 12 }, () => one.ask(LONG));
    const open = [...leases];
    for (let k = 1; k <= 12; k++) {
      for (let i = 0; i < 3; i++) one.refusal();
      one.ask(LONG);
      open.shift()!.settle();
      await one.later(10);
      expect(line.filter(({ state }) => state === "granted")).toHaveLength(k);
      open.push(line[k - 1]!.lease!);
    }
  });
});

describe("events that wake a waiter", () => {
  const wakes = async (one: Desk, asked: Asked, by: () => void) => {
    await one.later(0);
    expect(asked.state).toBe("waiting");
    by();
    await one.later(0);
    expect(asked.state).toBe("granted");
    expect(one.limiter.inspect().waiting).toEqual({});
    expect(one.clock.outstanding).toBe(0);
  };

  it("a settlement and a release wake a waiter", async () => {
    for (const end of [(lease: Lease) => lease.settle(), (lease: Lease) => lease.release()]) {
      const { one, leases } = busy();
      const asked = one.ask();
      await wakes(one, asked, () => end(leases[0]!));
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
      const one = desk({ limits: { tpm: 100 } });
      const lease = one.take({ tokens: 90 });
      const asked = one.ask({ tokens: 50, maxWaitMs: 1_000 });
      await wakes(one, asked, () => end(lease));
    }
  });

  it("an abandoned place wakes a waiter when it becomes free", async () => {
    const { one, leases } = busy();
    const asked = one.ask();
    leases[0]!.settle({ status: "timeout" });
    await one.at(999);
    expect(asked.state).toBe("waiting");
    await one.at(1_000);
    expect(asked).toMatchObject({ state: "granted", atMs: 1_000 });
  });

  it("the expiry of a lease wakes a waiter", async () => {
    const one = desk({ limits: { concurrency: 1 } }, { leaseTimeoutMs: 5_000 });
    one.take();
    const asked = one.ask();
    await one.at(5_999);
    expect(asked.state).toBe("waiting");
    await one.at(6_000);
    expect(asked).toMatchObject({ state: "granted", atMs: 6_000 });
  });

  it("the next release of a window wakes a waiter", async () => {
    const one = desk({ limits: { rpm: 1 } });
    one.take();
    const asked = one.ask({ maxWaitMs: 70_000 });
    await one.at(60_999);
    expect(asked.state).toBe("waiting");
    await one.at(61_000);
    expect(asked).toMatchObject({ state: "granted", atMs: 61_000 });
  });

  it("response headers that arrive before the cap wake a waiter", async () => {
    const one = desk({ limits: { rpm: 1 } }, { skewCapMs: Number.POSITIVE_INFINITY });
    const lease = one.take();
    const asked = one.ask({ maxWaitMs: 1e6 });
    await one.at(100_000);
    lease.headersReceived();
    await one.at(159_999);
    expect(asked.state).toBe("waiting");
    await one.at(160_000);
    expect(asked).toMatchObject({ state: "granted", atMs: 160_000 });
  });

  it("the refill of a token bucket and the reset of a fixed window wake a waiter", async () => {
    for (const [strategy, at] of [
      ["token_bucket", 20_000],
      ["fixed_window", 60_000],
    ] as const) {
      const one = desk({ quotas: [{ dimension: "requests", limit: 3, window: "minute", strategy }] });
      for (let i = 0; i < 3; i++) one.take().settle();
      const asked = one.ask();
      await one.at(at - 1);
      expect(asked.state, strategy).toBe("waiting");
      await one.at(at);
      expect(asked, strategy).toMatchObject({ state: "granted", atMs: at });
    }
  });

  it("the end of a cooldown wakes a waiter", async () => {
    const one = desk();
    one.limiter.observe({ provider: "a", outcome: { status: "rate_limited", retryAfterMs: 30_000 } });
    const asked = [one.ask(), one.ask()];
    await one.at(29_999);
    expect(states(asked)).toEqual(["waiting", "waiting"]);
    await one.at(30_000);
    // A trial is one lease at a time.
    expect(states(asked)).toEqual(["granted", "waiting"]);
    expect(asked[0]!.atMs).toBe(30_000);
    asked[0]!.lease!.settle();
    await one.later(0);
    expect(states(asked)).toEqual(["granted", "granted"]);
  });

  it("recovering health wakes a waiter", async () => {
    const one = desk({}, { minimumHealthScore: 0.6, health: { penalty403: 0.5 } });
    one.limiter.observe({ provider: "a", outcome: { status: "forbidden" } });
    const { retryAfterMs } = one.refusal();
    const asked = one.ask({ maxWaitMs: 1e6 });
    await one.at(retryAfterMs! - 1);
    expect(asked.state).toBe("waiting");
    await one.at(retryAfterMs!);
    expect(asked.state).toBe("granted");
  });

  it("updateProvider wakes a waiter: a higher limit, no limit, no pause, another pool", async () => {
    const raised = busy();
    await wakes(raised.one, raised.one.ask(), () =>
      raised.one.limiter.updateProvider("a", { limits: { concurrency: 2 } }),
    );
    const freed = busy();
    await wakes(freed.one, freed.one.ask(), () =>
      freed.one.limiter.updateProvider("a", { limits: { concurrency: null } }),
    );
    const one = new Desk({
      providers: [
        { name: "a", paused: true },
        { name: "b", limits: { concurrency: 1 } },
      ],
      capabilities: { chat: ["a", "b"] },
    });
    one.take();
    await wakes(one, one.ask(), () => one.limiter.updateProvider("a", { paused: false }));
  });

  it("upsertProvider wakes a waiter: a changed quota that starts empty, a new provider, a provider that is no longer dead", async () => {
    const one = desk({ limits: { rpm: 1 } });
    one.limiter.observe({ provider: "a", outcome: { status: "success" } });
    await wakes(one, one.ask(), () => one.limiter.upsertProvider({ name: "a", limits: { rpm: 2 } }));
    const two = new Desk({
      providers: [{ name: "b", limits: { concurrency: 1 } }],
      capabilities: { chat: ["a", "b"] },
    });
    two.take();
    await wakes(two, two.ask(), () => two.limiter.upsertProvider({ name: "a" }));
    const three = new Desk({
      providers: [{ name: "a" }, { name: "b", limits: { concurrency: 1 } }],
      capabilities: { chat: ["a", "b"] },
    });
    three.limiter.observe({ provider: "a", outcome: { status: "unauthorized" } });
    three.take();
    await wakes(three, three.ask(), () => three.limiter.upsertProvider({ name: "a" }));
  });

  it("upsertPool wakes the waiters of all its providers", async () => {
    const one = new Desk({
      pools: { org: { limits: { concurrency: 1 } } },
      providers: [
        { name: "a", pools: ["org"] },
        { name: "b", pools: ["org"] },
      ],
      capabilities: { chat: ["a"], mail: ["b"] },
    });
    one.take();
    const asked = [one.ask(LONG, "mail"), one.ask(LONG), one.ask(LONG)];
    one.limiter.upsertPool({ name: "org", limits: { concurrency: 3 } });
    await one.later(0);
    expect(states(asked)).toEqual(["granted", "granted", "waiting"]);
  });

  it("reviveProvider wakes a waiter: after death, a cooldown, or bad health", async () => {
    for (const status of ["unauthorized", "rate_limited"] as const) {
      const one = new Desk({
        providers: [{ name: "a" }, { name: "b", limits: { concurrency: 1 } }],
        capabilities: { chat: ["a", "b"] },
      });
      one.limiter.observe({ provider: "a", outcome: { status, retryAfterMs: 40_000 } });
      one.take();
      await wakes(one, one.ask(), () => one.limiter.reviveProvider("a"));
    }
  });

  it("upsertCapability with a provider that has capacity wakes a waiter", async () => {
    const one = new Desk({
      providers: [{ name: "a", limits: { concurrency: 1 } }, { name: "b" }],
      capabilities: { chat: ["a"] },
    });
    one.take();
    const asked = one.ask(LONG);
    one.limiter.upsertCapability({ name: "chat", providers: ["a", "b"] });
    await one.later(0);
    // A waiter might have asked for the old list; it must not stay in the queue for ever either.
    if (asked.state === "granted") expect(asked.lease!.provider).toBe("b");
  });

  it("removing a provider wakes the waiters that its waiters blocked", async () => {
    const one = new Desk({
      pools: { org: { limits: { tpm: 100 } } },
      providers: [
        { name: "a", pools: ["org"] },
        { name: "b", pools: ["org"] },
      ],
      capabilities: { chat: ["a"], mail: ["b"] },
    });
    one.take({ tokens: 60 }).headersReceived();
    const big = one.ask({ tokens: 90, ...LONG });
    const small = one.ask({ tokens: 30, ...LONG }, "mail");
    await one.later(0);
    expect(states([big, small])).toEqual(["waiting", "waiting"]);
    one.limiter.removeProvider("a");
    await one.later(0);
    expect(small.state).toBe("granted");
    expect(big.state).not.toBe("granted");
  });

  it("a waiter that gives up wakes the waiters behind it", async () => {
    const one = desk({ limits: { tpm: 100 } });
    one.take({ tokens: 60 }).headersReceived();
    const controller = new AbortController();
    const aborted = one.ask({ tokens: 90, ...LONG, signal: controller.signal });
    const late = one.ask({ tokens: 50, maxWaitMs: 59_000 });
    const small = one.ask({ tokens: 30, ...LONG });
    await one.later(0);
    expect(aborted.state).toBe("waiting");
    controller.abort();
    await one.later(0);
    if (late.state === "waiting") {
      expect(small.state).toBe("waiting");
      await one.at(59_000);
    }
    expect(late.state).toBe("rejected");
    expect(small.state).toBe("granted");
  });

  it("an observation that ends a trial wakes a waiter", async () => {
    const one = desk();
    one.limiter.observe({ provider: "a", outcome: { status: "rate_limited", retryAfterMs: 1_000 } });
    one.clock.set(1_000);
    one.take();
    const asked = one.ask();
    await wakes(one, asked, () => one.limiter.observe({ provider: "a", outcome: { status: "success" } }));
  });

  it("an event wakes exactly the waiters that can be served", async () => {
    const { one, leases } = busy(5);
    const line = Array.from({ length: 9 }, () => one.ask(LONG));
    leases[3]!.settle();
    leases[1]!.settle();
    await one.later(0);
    expect(states(line)).toEqual(["granted", "granted", ...Array(7).fill("waiting")]);
    expect(one.limiter.inspect().waiting).toEqual({ chat: 7 });
  });
});

describe("a bounded wait queue", () => {
  it("a full queue rejects with queue_full, but grants requests that do not need to wait", async () => {
    const one = new Desk({
      maxWaiting: 2,
      providers: [{ name: "a", limits: { concurrency: 1 } }, { name: "b" }],
      capabilities: { chat: ["a"], mail: ["b"] },
    });
    const lease = one.take();
    const line = [one.ask(LONG), one.ask(LONG), one.ask({ ...LONG, priority: 9 }), one.ask(LONG)];
    const free = one.ask(LONG, "mail");
    await one.later(0);
    expect(states(line)).toEqual(["waiting", "waiting", "rejected", "rejected"]);
    expect(free.state).toBe("granted");
    expect(rejection(line[2]!)).toMatchObject({ kind: "queue_full", capability: "chat", attempts: [] });
    expect(rejection(line[2]!).reasons).toHaveLength(1);
    expect(one.limiter.inspect().waiting).toEqual({ chat: 2 });
    lease.settle();
    await one.later(0);
    expect(states(line.slice(0, 2))).toEqual(["granted", "waiting"]);
    const next = one.ask(LONG);
    await one.later(0);
    expect(next.state).toBe("waiting");
  });

  it("a queue of length 0 rejects every waiter, and the default length is 10,000", async () => {
    const none = desk({ limits: { concurrency: 1 } }, { maxWaiting: 0 });
    none.take();
    const asked = none.ask();
    await none.later(0);
    expect(rejection(asked).kind).toBe("queue_full");
    const { one } = busy();
    const line = Array.from({ length: 10_001 }, () => one.ask(LONG));
    await one.later(0);
    expect(line.filter(({ state }) => state === "waiting")).toHaveLength(10_000);
    expect(rejection(line.at(-1)!).kind).toBe("queue_full");
  });
});
