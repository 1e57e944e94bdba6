// A waiter is rejected immediately if no future event can serve it, however long its deadline is.
import { describe, expect, it } from "vitest";
import { AbortSignals } from "../../../src/admission/abort-signals.ts";
import { Desk, rejection, turns } from "../../support/limiter-fixture.ts";

/** Two waiters with different amounts behind a lease that holds the only place. */
function waiting(maxWaitMs: number) {
  const one = new Desk({
    pools: { org: { limits: { tpm: 100 } } },
    providers: [{ name: "a", limits: { concurrency: 1 }, pools: ["org"] }],
    capabilities: { chat: ["a"] },
  });
  const lease = one.take({ tokens: 1 });
  return { one, lease, asked: [5, 6].map((tokens) => one.ask({ tokens, maxWaitMs })) };
}

describe.each([Number.POSITIVE_INFINITY, 120_000])("a hopeless waiter with maxWaitMs %s", (maxWaitMs) => {
  const LOST: { readonly [how: string]: (one: Desk, lease: ReturnType<Desk["take"]>) => void } = {
    "its key is dead": (_, lease) => lease.settle({ status: 401 }),
    "it is paused": (one) => one.limiter.updateProvider("a", { paused: true }),
    "its limit is 0": (one) => one.limiter.updateProvider("a", { limits: { concurrency: 0 } }),
    "its pool's limit is too small": (one) => one.limiter.upsertPool({ name: "org", limits: { tpm: 4 } }),
    "it is removed": (one) => one.limiter.removeProvider("a"),
    "it is not listed any more": (one) => one.limiter.upsertCapability({ name: "chat", providers: ["b"] }),
    "the capability is removed": (one) => one.limiter.removeCapability("chat"),
  };

  it.each(Object.entries(LOST))("is rejected immediately when %s", async (_, lose) => {
    const { one, lease, asked } = waiting(maxWaitMs);
    await one.later(10);
    expect(asked.map(({ state }) => state)).toEqual(["waiting", "waiting"]);
    lose(one, lease);
    await turns();
    for (const each of asked) {
      rejection(each);
      expect(each.atMs).toBe(10);
    }
    expect(one.limiter.inspect().waiting).toEqual({});
    expect(one.clock.outstanding).toBe(0);
  });

  it("is not rejected while a request in flight or another provider can still serve it", async () => {
    const { one, lease, asked } = waiting(maxWaitMs);
    one.limiter.upsertCapability({ name: "chat", providers: ["a", "b"] });
    one.limiter.upsertProvider({ name: "b", paused: true });
    await turns();
    expect(asked.map(({ state }) => state)).toEqual(["waiting", "waiting"]);
    one.limiter.updateProvider("b", { paused: false });
    await turns();
    expect(asked.map((each) => each.lease?.provider)).toEqual(["b", "b"]);
    lease.settle();
  });
});

describe("one abort signal for several waiters", () => {
  it("an abort of several waiters grants none of them the capacity that the others give up", async () => {
    const one = new Desk({ providers: [{ name: "a", limits: { tpm: 1_000 } }], capabilities: { chat: ["a"] } });
    one.take({ tokens: 500 });
    const stop = new AbortController();
    const asked = [900, 10, 20].map((tokens) => one.ask({ tokens, signal: stop.signal }));
    const other = one.ask({ tokens: 30 });
    await one.later(10);
    expect(other.state).toBe("waiting");
    stop.abort("enough");
    await turns();
    expect(asked.map(({ state, error }) => [state, error])).toEqual(Array(3).fill(["rejected", "enough"]));
    expect(other.state).toBe("granted");
    expect(one.limiter.metrics.leasesGranted).toBe(2);
    expect(one.counted("tokens")).toBe(530);
  });
});

describe("a waiter that joins behind a larger one of the same kind", () => {
  it("a smaller waiter claims the provider that is too small for the larger one, and is woken by it", async () => {
    const one = new Desk({
      providers: [
        { name: "small", quotas: [{ dimension: "tokens", limit: 100, window: { seconds: 10 } }] },
        { name: "large", quotas: [{ dimension: "tokens", limit: 1_000, window: { seconds: 60 } }] },
      ],
      capabilities: { chat: ["small", "large"] },
    });
    one.take({ tokens: 100, only: ["small"] }).settle();
    one.take({ tokens: 1_000, only: ["large"] }).settle();
    const [first, second] = [500, 50].map((tokens) => one.ask({ tokens, maxWaitMs: 120_000 }));
    await one.at(9_999);
    expect(one.limiter.tryAcquire("chat", { tokens: 50 }).granted).toBe(false);
    await one.at(10_000);
    expect([second!.state, second!.lease?.provider, first!.state]).toEqual(["granted", "small", "waiting"]);
    await one.at(60_000);
    expect(first!.lease?.provider).toBe("large");
  });
});

describe("a cooldown that ends before the deadline", () => {
  it("a waiter is rejected immediately if the window has capacity only after its deadline", async () => {
    const one = new Desk({
      health: { cooldownTriggerCount: 1 },
      providers: [{ name: "a", limits: { rpd: 2, concurrency: 1 } }],
      capabilities: { chat: ["a"] },
    });
    const held = one.take();
    const asked = one.ask({ maxWaitMs: 60_000 });
    await one.at(100);
    one.limiter.observe({ provider: "a", usage: { requests: 1 }, outcome: { status: "cancelled" } });
    held.settle({ status: 429, retryAfterMs: 50_000 });
    await turns();
    expect(rejection(asked).kind).toBe("refused");
    expect(asked.atMs).toBe(100);
  });
});

describe("a shared abort signal", () => {
  it("an abort signal skips a waiter that another of its listeners has already removed", async () => {
    const one = new Desk({ providers: [{ name: "a", limits: { concurrency: 1 } }], capabilities: { chat: ["a"] } });
    const stop = new AbortController();
    one.take();
    let heard = 0;
    const waits = new AbortSignals();
    const cancels = [waits.on(stop.signal, () => cancels[1]!()), waits.on(stop.signal, () => heard++)];
    const asked = one.ask({ signal: stop.signal });
    stop.abort("enough");
    await turns();
    expect([heard, asked.error]).toEqual([0, "enough"]);
  });
});
