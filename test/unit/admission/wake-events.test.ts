// The events that wake waiters.
import { describe, expect, it } from "vitest";
import type { Lease } from "../../../src/index.ts";
import {
  type AcquireState,
  chatFixture,
  LimiterFixture,
  LONG_WAIT,
  occupiedFixture,
  statesOf,
} from "../../support/limiter-fixture.ts";
import { withLists } from "../../support/with-lists.ts";

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
      (lease) => lease.settle({ status: "forbidden" }),
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
    expect(statesOf(asked)).toEqual(["waiting", "waiting"]);
    await fixture.advanceTo(30_000);
    // A trial is one lease at a time.
    expect(statesOf(asked)).toEqual(["granted", "waiting"]);
    expect(asked[0]!.atMs).toBe(30_000);
    asked[0]!.lease!.settle();
    await fixture.advance(0);
    expect(statesOf(asked)).toEqual(["granted", "granted"]);
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
    const two = new LimiterFixture({ providers: [{ name: "b", limits: { concurrency: 1 } }] });
    withLists(two.limiter, { chat: ["a", "b"] });
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
    const asked = [fixture.acquire(LONG_WAIT, "mail"), fixture.acquire(LONG_WAIT), fixture.acquire(LONG_WAIT)];
    fixture.limiter.upsertPool({ name: "org", limits: { concurrency: 3 } });
    await fixture.advance(0);
    expect(statesOf(asked)).toEqual(["granted", "granted", "waiting"]);
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
    const asked = fixture.acquire(LONG_WAIT);
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
    const big = fixture.acquire({ tokens: 90, ...LONG_WAIT });
    const small = fixture.acquire({ tokens: 30, ...LONG_WAIT }, "mail");
    await fixture.advance(0);
    expect(statesOf([big, small])).toEqual(["waiting", "waiting"]);
    fixture.limiter.removeProvider("a");
    await fixture.advance(0);
    expect(small.state).toBe("granted");
    expect(big.state).not.toBe("granted");
  });

  it("a waiter that gives up wakes the waiters behind it", async () => {
    const fixture = chatFixture({ limits: { tpm: 100 } });
    fixture.grant({ tokens: 60 }).headersReceived();
    const controller = new AbortController();
    const aborted = fixture.acquire({ tokens: 90, ...LONG_WAIT, signal: controller.signal });
    const late = fixture.acquire({ tokens: 50, maxWaitMs: 59_000 });
    const small = fixture.acquire({ tokens: 30, ...LONG_WAIT });
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
    const line = Array.from({ length: 9 }, () => fixture.acquire(LONG_WAIT));
    leases[3]!.settle();
    leases[1]!.settle();
    await fixture.advance(0);
    expect(statesOf(line)).toEqual(["granted", "granted", ...Array(7).fill("waiting")]);
    expect(fixture.limiter.inspect().waiting).toEqual({ chat: 7 });
  });
});
