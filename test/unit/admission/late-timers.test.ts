// The wait queue is evaluated when something might have changed: also after a late timer, after the wall clock was set,
// and when the last chance of a waiter has passed.
import { describe, expect, it } from "vitest";
import { GrateLimiter, MockClock, NoAvailableProviders } from "../../../src/index.ts";
import { flushPromises, LimiterFixture } from "../../support/limiter-fixture.ts";

/** A clock with late timers, like those of a real runtime. */
class LateClock extends MockClock {
  override wakeAt(atMs: number, wake: () => void): () => void {
    return super.wakeAt(atMs + 0.3, wake);
  }
}

describe("a late timer", () => {
  it("a waiter gets capacity that became available in time although the timer is late", async () => {
    const clock = new LateClock();
    const limiter = new GrateLimiter({
      clock,
      providers: [{ name: "a", limits: { rpm: 1 } }],
      capabilities: { chat: ["a"] },
    });
    const first = limiter.tryAcquire("chat");
    if (first.granted) first.settle();
    const second = limiter.tryAcquire("chat");
    if (second.granted) throw new Error("unexpected");
    let grantedAt: number | null = null;
    limiter.acquire("chat", { maxWaitMs: second.retryAfterMs! }).then(() => {
      grantedAt = clock.now();
    });
    await clock.advanceMsAsync(61_000);
    expect(grantedAt).toBe(60_000.3);
  });

  it("a waiter does not get capacity that became available after its deadline", async () => {
    const clock = new LateClock();
    const limiter = new GrateLimiter({
      clock,
      providers: [{ name: "a", limits: { concurrency: 1 } }],
      capabilities: { chat: ["a"] },
    });
    const held = limiter.tryAcquire("chat");
    let kind: unknown = null;
    limiter.acquire("chat", { maxWaitMs: 100 }).catch((error: unknown) => {
      kind = NoAvailableProviders.is(error) && error.kind;
    });
    await clock.advanceMsAsync(100.2);
    expect(kind).toBe(null);
    if (held.granted) held.settle();
    await flushPromises();
    expect(kind).toBe("timed_out");
  });
});

it("after the wall clock is set the wait queue is evaluated within a minute", async () => {
  const mock = new MockClock({ epochMs: Date.UTC(2026, 0, 5, 12) });
  let aheadMs = 0;
  const clock = {
    now: () => mock.now(),
    epochNow: () => mock.epochNow() + aheadMs,
    wakeAt: (atMs: number, wake: () => void) => mock.wakeAt(atMs, wake),
  };
  const limiter = new GrateLimiter({
    clock,
    providers: [{ name: "a", quotas: [{ dimension: "requests", limit: 1, window: { calendar: "day" } }] }],
    capabilities: { chat: ["a"] },
  });
  const first = limiter.tryAcquire("chat");
  if (first.granted) first.settle();
  let grantedAt: number | null = null;
  limiter.acquire("chat", { maxWaitMs: Number.POSITIVE_INFINITY }).then(() => {
    grantedAt = mock.now();
  });
  await mock.advanceMsAsync(600_000);
  expect(grantedAt).toBe(null);
  // The machine slept until the next day.
  aheadMs = 13 * 3_600_000;
  await mock.advanceMsAsync(61_000);
  expect(grantedAt).toBeLessThanOrEqual(660_000);
});

describe("a chance that passes without any call", () => {
  it.each([1, 2])(
    "a waiter that can no longer be served in time is rejected immediately, with %s requests a minute",
    async (rpm) => {
      const fixture = new LimiterFixture({
        providers: [{ name: "a", limits: { rpm } }],
        capabilities: { chat: ["a"] },
      });
      if (rpm === 2) fixture.grant().settle();
      // The lease can still be released in its first second.
      fixture.grant();
      const asked = fixture.acquire({ maxWaitMs: 30_000 });
      await fixture.advanceTo(999);
      expect(asked.state).toBe("waiting");
      await fixture.advanceTo(1_000);
      expect([asked.state, asked.atMs]).toEqual(["rejected", 1_000]);
      expect(asked.error).toMatchObject({ kind: "refused" });
    },
  );
});

it("removing a capability rejects the waiters of that capability", async () => {
  const fixture = new LimiterFixture({
    providers: [{ name: "a", limits: { concurrency: 1 } }],
    capabilities: { chat: ["a"] },
  });
  fixture.grant();
  const asked = fixture.acquire({ maxWaitMs: 120_000 });
  await fixture.advance(10);
  fixture.limiter.removeCapability("chat");
  await flushPromises();
  expect(asked.error).toMatchObject({ kind: "refused", reasons: [] });
});

it.each(["abort", "close"])(
  "a scoring strategy can remove other waiters while the queue is served: %s",
  async (what) => {
    const controller = new AbortController();
    let isArmed = false;
    const fixture: LimiterFixture = new LimiterFixture({
      scoring: {
        score: () => {
          if (isArmed) {
            isArmed = false;
            if (what === "abort") controller.abort();
            else fixture.limiter.close();
          }
          return 1;
        },
      },
      providers: [{ name: "a", limits: { concurrency: 1 } }],
      capabilities: { chat: ["a"] },
    });
    const lease = fixture.grant();
    const first = fixture.acquire({ maxWaitMs: 1e6, requests: 1, priority: 1 });
    const second = fixture.acquire({ maxWaitMs: 1e6, requests: 0, signal: controller.signal });
    await fixture.advance(10);
    isArmed = true;
    lease.settle();
    await flushPromises();
    expect(first.state).toBe(what === "abort" ? "granted" : "rejected");
    expect(second.state).toBe("rejected");
    expect(fixture.limiter.inspect().waiting).toEqual({});
  },
);
