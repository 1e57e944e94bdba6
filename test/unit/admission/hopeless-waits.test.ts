// A waiter is rejected immediately if no future event can serve it, however long its deadline is.
import { describe, expect, it } from "vitest";
import { AbortSignals } from "../../../src/admission/abort-signals.ts";
import { flushPromises, LimiterFixture, rejection } from "../../support/limiter-fixture.ts";

/** Two waiters with different amounts behind a lease that holds the only place. */
function waitingFixture(maxWaitMs: number) {
  const fixture = new LimiterFixture({
    pools: { org: { limits: { tpm: 100 } } },
    providers: [{ name: "a", limits: { concurrency: 1 }, pools: ["org"] }],
    capabilities: { chat: ["a"] },
  });
  const lease = fixture.grant({ tokens: 1 });
  return { fixture, lease, asked: [5, 6].map((tokens) => fixture.acquire({ tokens, maxWaitMs })) };
}

describe.each([Number.POSITIVE_INFINITY, 120_000])("a hopeless waiter with maxWaitMs %s", (maxWaitMs) => {
  const LOST: {
    readonly [how: string]: (fixture: LimiterFixture, lease: ReturnType<LimiterFixture["grant"]>) => void;
  } = {
    "its key is dead": (_, lease) => lease.settle({ status: 401 }),
    "its limit is 0": (fixture) => fixture.limiter.updateProvider("a", { limits: { concurrency: 0 } }),
    "its pool's limit is too small": (fixture) => fixture.limiter.upsertPool({ name: "org", limits: { tpm: 4 } }),
    "it is removed": (fixture) => fixture.limiter.removeProvider("a"),
    "it is not listed any more": (fixture) => fixture.limiter.upsertCapability({ name: "chat", providers: ["b"] }),
    "the capability is removed": (fixture) => fixture.limiter.removeCapability("chat"),
  };

  it.each(Object.entries(LOST))("is rejected immediately when %s", async (_, lose) => {
    const { fixture, lease, asked } = waitingFixture(maxWaitMs);
    await fixture.advance(10);
    expect(asked.map(({ state }) => state)).toEqual(["waiting", "waiting"]);
    lose(fixture, lease);
    await flushPromises();
    for (const each of asked) {
      rejection(each);
      expect(each.atMs).toBe(10);
    }
    expect(fixture.limiter.inspect().waiting).toEqual({});
    expect(fixture.clock.outstanding).toBe(0);
  });

  it("is not rejected while a request in flight or another provider can still serve it", async () => {
    const { fixture, lease, asked } = waitingFixture(maxWaitMs);
    fixture.limiter.upsertCapability({ name: "chat", providers: ["a", "b"] });
    fixture.limiter.upsertProvider({ name: "b", paused: true });
    await flushPromises();
    expect(asked.map(({ state }) => state)).toEqual(["waiting", "waiting"]);
    fixture.limiter.updateProvider("b", { paused: false });
    await flushPromises();
    expect(asked.map((each) => each.lease?.provider)).toEqual(["b", "b"]);
    lease.settle();
  });
});

describe("one abort signal for several waiters", () => {
  it("an abort of several waiters grants none of them the capacity that the others give up", async () => {
    const fixture = new LimiterFixture({
      providers: [{ name: "a", limits: { tpm: 1_000 } }],
      capabilities: { chat: ["a"] },
    });
    fixture.grant({ tokens: 500 });
    const stop = new AbortController();
    const asked = [900, 10, 20].map((tokens) => fixture.acquire({ tokens, signal: stop.signal }));
    const other = fixture.acquire({ tokens: 30 });
    await fixture.advance(10);
    expect(other.state).toBe("waiting");
    stop.abort("enough");
    await flushPromises();
    expect(asked.map(({ state, error }) => [state, error])).toEqual(Array(3).fill(["rejected", "enough"]));
    expect(other.state).toBe("granted");
    expect(fixture.limiter.metrics.leasesGranted).toBe(2);
    expect(fixture.counted("tokens")).toBe(530);
  });
});

describe("a waiter that joins behind a larger one of the same kind", () => {
  it("a smaller waiter claims the provider that is too small for the larger one, and is woken by it", async () => {
    const fixture = new LimiterFixture({
      providers: [
        { name: "small", quotas: [{ dimension: "tokens", limit: 100, window: { seconds: 10 } }] },
        { name: "large", quotas: [{ dimension: "tokens", limit: 1_000, window: { seconds: 60 } }] },
      ],
      capabilities: { chat: ["small", "large"] },
    });
    fixture.grant({ tokens: 100, only: ["small"] }).settle();
    fixture.grant({ tokens: 1_000, only: ["large"] }).settle();
    const [first, second] = [500, 50].map((tokens) => fixture.acquire({ tokens, maxWaitMs: 120_000 }));
    await fixture.advanceTo(9_999);
    expect(fixture.limiter.tryAcquire("chat", { tokens: 50 }).granted).toBe(false);
    await fixture.advanceTo(10_000);
    expect([second!.state, second!.lease?.provider, first!.state]).toEqual(["granted", "small", "waiting"]);
    await fixture.advanceTo(60_000);
    expect(first!.lease?.provider).toBe("large");
  });
});

describe("a cooldown that ends before the deadline", () => {
  it("a waiter is rejected immediately if the window has capacity only after its deadline", async () => {
    const fixture = new LimiterFixture({
      health: { cooldownTriggerCount: 1 },
      providers: [{ name: "a", limits: { rpd: 2, concurrency: 1 } }],
      capabilities: { chat: ["a"] },
    });
    const held = fixture.grant();
    const asked = fixture.acquire({ maxWaitMs: 60_000 });
    await fixture.advanceTo(100);
    fixture.limiter.observe({ provider: "a", usage: { requests: 1 }, outcome: { status: "cancelled" } });
    held.settle({ status: 429, retryAfterMs: 50_000 });
    await flushPromises();
    expect(rejection(asked).kind).toBe("refused");
    expect(asked.atMs).toBe(100);
  });
});

describe("a shared abort signal", () => {
  it("an abort signal skips a waiter that another of its listeners has already removed", async () => {
    const fixture = new LimiterFixture({
      providers: [{ name: "a", limits: { concurrency: 1 } }],
      capabilities: { chat: ["a"] },
    });
    const stop = new AbortController();
    fixture.grant();
    let recorded = 0;
    const waits = new AbortSignals();
    const cancels = [waits.on(stop.signal, () => cancels[1]!()), waits.on(stop.signal, () => recorded++)];
    const asked = fixture.acquire({ signal: stop.signal });
    stop.abort("enough");
    await flushPromises();
    expect([recorded, asked.error]).toEqual([0, "enough"]);
  });
});
