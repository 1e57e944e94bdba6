import { describe, expect, it } from "vitest";
import { GrateLimiter, type LimiterEvents, MockClock } from "../../../src/index.ts";

function budgetLimiter() {
  const clock = new MockClock();
  const limiter = new GrateLimiter({
    clock,
    providers: [
      { name: "a", quotas: [{ dimension: "cost_usd", limit: 100_000, window: "hour" }], limits: { rpm: 100 } },
    ],
    capabilities: { chat: ["a"] },
  });
  const events: LimiterEvents["budgetExhausted"][] = [];
  limiter.on("budgetExhausted", (event) => events.push(event));
  return { clock, limiter, events };
}

describe("the event budgetExhausted", () => {
  it("a refused request emits it, also if a small rest is left", () => {
    const { limiter, events } = budgetLimiter();
    const lease = limiter.tryAcquire("chat", { costMicroUsd: 99_000 });
    if (lease.granted) lease.settle();
    expect(events).toEqual([]);
    expect(limiter.tryAcquire("chat", { costMicroUsd: 1_001 }).granted).toBe(false);
    expect(events).toEqual([
      {
        ...{ provider: "a", capability: "chat", window: "hour", pool: null },
        ...{ limit: 100_000, remaining: 1_000, needed: 1_001, retryAfterMs: 3_600_000 },
      },
    ]);
    expect(limiter.tryAcquire("chat", { costMicroUsd: 1_000 }).granted).toBe(true);
    expect(events).toHaveLength(1);
  });

  it("a call that begins to wait for the budget emits it once, and one that waits for requests does not", async () => {
    const { clock, limiter, events } = budgetLimiter();
    const lease = limiter.tryAcquire("chat", { costMicroUsd: 100_000 });
    if (lease.granted) lease.settle();
    const waiting = limiter.acquire("chat", { costMicroUsd: 10, maxWaitMs: Number.POSITIVE_INFINITY });
    expect(events).toHaveLength(1);
    await clock.advanceMsAsync(3_600_000);
    (await waiting).settle();
    expect(events).toHaveLength(1);
    const all = limiter.tryAcquire("chat", { requests: 99, costMicroUsd: 0 });
    if (all.granted) all.settle();
    limiter.acquire("chat", { costMicroUsd: 0 }).catch(() => {});
    expect(events).toHaveLength(1);
  });
});
