import { describe, expect, it } from "vitest";
import { sharedStore } from "../../../src/fleet/shared-store.ts";
import { GrateLimiter, MockClock } from "../../../src/index.ts";
import { MemoryStore } from "../../../src/store/memory-store.ts";

const LIMITS = { providers: [{ name: "a", limits: { rpm: 10 } }], capabilities: { chat: ["a"] } } as const;

describe("a limiter with a store", () => {
  it("two limiters together grant no more than the limit", async () => {
    const clock = new MockClock();
    const store = new MemoryStore(clock);
    const limiters = [1, 2].map(() => new GrateLimiter({ ...LIMITS, clock, store: sharedStore(store) }));
    const results = limiters.flatMap((limiter) =>
      Array.from({ length: 10 }, () =>
        limiter.acquire("chat", { maxWaitMs: 0 }).then(
          () => 1,
          () => 0,
        ),
      ),
    );
    await clock.advanceMsAsync(1_000);
    const granted = (await Promise.all(results)).reduce<number>((a, b) => a + b, 0);
    console.log(granted, 0, JSON.stringify(limiters[0]!.inspect().store), JSON.stringify(limiters[0]!.forecast("a")));
    expect(granted).toBe(10);
  });
  it("saturated: all is used", async () => {
    const clock = new MockClock();
    const store = new MemoryStore(clock);
    const grants: number[] = [];
    const limiters = [1, 2, 3, 4].map(
      () =>
        new GrateLimiter({
          providers: [{ name: "a", quotas: [{ dimension: "requests", limit: 400, window: { seconds: 2 } }] }],
          capabilities: LIMITS.capabilities,
          clock,
          store: sharedStore(store),
        }),
    );
    let stop = false;
    for (const limiter of limiters)
      for (let i = 0; i < 20; i++)
        void (async () => {
          while (!stop) {
            const lease = await limiter.acquire("chat");
            grants.push(clock.now());
            lease.headersReceived();
            await new Promise<void>((resolve) => clock.wakeAt(clock.now() + 20, resolve));
            lease.settle("success");
          }
        })();
    await clock.advanceMsAsync(20_000);
    stop = true;
    console.log("granted", grants.length, "exchanges", 0 / grants.length);
    let worst = 0;
    for (let i = 0; i < grants.length; i++) {
      let n = 0;
      for (let j = i; j < grants.length && grants[j]! < grants[i]! + 2_000; j++) n++;
      worst = Math.max(worst, n);
    }
    expect(worst).toBeLessThanOrEqual(400);
    await clock.advanceMsAsync(10_000);
    expect(grants.length).toBeGreaterThan(3000);
  });
});
