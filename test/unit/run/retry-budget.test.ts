// The number of retries that a limiter adds, and the pauses that it leaves a provider.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { RunOptions } from "../../../src/index.ts";
import { backoffMs } from "../../../src/run/backoff.ts";
import { RetryBudget } from "../../../src/run/retry-budget.ts";
import { HttpError, refusalOf, runFixture, watch } from "../../support/run-fixture.ts";

const taken = (budget: RetryBudget, now: number, most = 1_000) => {
  let count = 0;
  while (count < most && budget.takeRetry(now)) count++;
  return count;
};

describe("the retry budget", () => {
  it("the default retry budget is 10 a minute plus a tenth of the requests", () => {
    const budget = new RetryBudget();
    expect(taken(budget, 0)).toBe(10);
    for (let i = 0; i < 200; i++) budget.countRequest(1_000);
    expect(taken(budget, 1_000)).toBe(20);
    // Only the retries and requests of the last minute count.
    expect(taken(budget, 60_000)).toBe(10);
    expect(taken(budget, 61_000)).toBe(0);
    expect(taken(budget, 121_000)).toBe(10);
  });

  it.each([
    [{ ratio: 0, perMinute: 0 }, 0],
    [{ ratio: 0, perMinute: 3 }, 3],
    [{ ratio: 0.5, perMinute: 0 }, 50],
    [{ ratio: 1 }, 110],
    [{ perMinute: 0 }, 10],
    [{ ratio: undefined, perMinute: undefined }, 20],
    [{ perMinute: Number.POSITIVE_INFINITY }, 1_000],
  ])("the retry budget %j allows %i retries for 100 requests", (options, expected) => {
    const budget = new RetryBudget(options);
    for (let i = 0; i < 100; i++) budget.countRequest(0);
    expect(taken(budget, 0)).toBe(expected);
  });

  it("the retry budget never allows more than its setting, at any instant", () => {
    const step = fc.record({ afterMs: fc.integer({ min: 0, max: 20_000 }), requests: fc.integer({ min: 0, max: 40 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const budget = new RetryBudget({ ratio: 0.2, perMinute: 4 });
        const requests: number[] = [];
        const retries: number[] = [];
        // Amounts are merged in steps of a 512th of the window, so an entry can leave that much late.
        const inMinute = (instants: readonly number[], now: number, lateMs: number) =>
          instants.filter((at) => at > now - 60_000 - lateMs).length;
        let now = 0;
        for (const { afterMs, requests: count } of steps) {
          now += afterMs;
          for (let i = 0; i < count; i++) {
            budget.countRequest(now);
            requests.push(now);
          }
          while (budget.takeRetry(now)) {
            expect(inMinute(retries, now, 0)).toBeLessThan(4 + 0.2 * inMinute(requests, now, 120));
            retries.push(now);
          }
          expect(inMinute(retries, now, 120)).toBeGreaterThanOrEqual(4 + 0.2 * inMinute(requests, now, 0));
        }
      }),
    );
  });
});

describe("a retry after a failure that did no work", () => {
  const none = { ratio: 0, perMinute: 0 };
  const refused = (sent: string[]) => async (context: { readonly provider: string }) => {
    sent.push(context.provider);
    throw new HttpError(429);
  };
  // A provider that refuses stays eligible here.
  const patient = { cooldownTriggerCount: 1e6, penalty429: 0 };

  it("the message of a failed call lists the attempted providers and their failures", async () => {
    const { limiter } = runFixture(["a", "b"], { retryBudget: none });
    const { message } = await refusalOf(limiter.run("chat", refused([])));
    expect(message).toMatch(/^no provider available for "chat": attempts failed: "a" rate limited, "b" rate limited/);
  });

  it("a retry on another provider is free", async () => {
    const { limiter } = runFixture(["a", "b", "c"], { retryBudget: none });
    const sent: string[] = [];
    const { kind } = await refusalOf(limiter.run("chat", refused(sent)));
    expect([kind, sent]).toEqual(["attempts_failed", ["a", "b", "c"]]);
  });

  const IN_VAIN: { readonly [why: string]: { readonly b: object; readonly options?: RunOptions } } = {
    "is paused": { b: { paused: true } },
    "is excluded": { b: {}, options: { exclude: ["b"] } },
    "is not among those asked for": { b: {}, options: { only: ["a"] } },
    "is too small": { b: { limits: { rpm: 0 } } },
    "has no capacity": { b: { limits: { rpd: 1 } } },
  };

  it.each(Object.entries(IN_VAIN))(
    "a retry draws on the budget if the other provider %s",
    async (_, { b, options }) => {
      const { limiter } = runFixture(["a", { name: "b", ...b }], {
        retryBudget: none,
        health: patient,
        random: () => 0,
      });
      limiter.observe({ provider: "b", outcome: { status: "success" } });
      for (let i = 0; i < 20; i++) {
        const sent: string[] = [];
        const error = await refusalOf(limiter.run("chat", refused(sent), options));
        expect([error.kind, sent]).toEqual(["retry_budget", ["a"]]);
        expect(error.attempts).toHaveLength(1);
      }
      expect(limiter.inspect().providers.map(({ inFlight }) => inFlight)).toEqual([0, 0]);
    },
  );

  it("a call makes as many attempts as it has providers", async () => {
    const { limiter, clock } = runFixture(["a", "b", "c", "d"], { health: patient, random: () => 0 });
    for (const exclude of [["b", "c", "d"], ["d"], ["x"], []]) {
      const sent: string[] = [];
      await refusalOf(limiter.run("chat", refused(sent), { exclude }));
      expect(sent.length).toBe(Math.max(2, 4 - exclude.filter((name) => name !== "x").length));
      clock.advanceMs(120_000);
    }
  });
});

describe("backoff before the next attempt on a provider", () => {
  it("a call backs off if a waiter claims the capacity of the other provider", async () => {
    const { limiter, clock } = runFixture(["a", { name: "b", limits: { tpm: 1_000 } }], { random: () => 0.999 });
    limiter.upsertCapability({ name: "big", providers: ["b"] });
    limiter.tryAcquire("big", { tokens: 500 });
    const waiting = limiter.acquire("big", { tokens: 900 });
    const at: number[] = [];
    const call = refusalOf(
      limiter.run(
        "chat",
        async ({ provider }) => {
          expect(provider).toBe("a");
          at.push(clock.now() - 1_000);
          throw new HttpError(500);
        },
        { tokens: 10, maxAttempts: 3 },
      ),
    );
    await clock.advanceMsAsync(30_000);
    await call;
    expect(at).toEqual([0, 499.5, 1_498.5]);
    waiting.catch(() => {});
    limiter.close();
  });
});

describe("a lease that comes too late", () => {
  it("a lease that comes too late does not count as a failover", async () => {
    const quotas = [{ dimension: "requests" as const, limit: 1, window: { seconds: 1 } }];
    const { limiter, clock, events } = runFixture(["a", { name: "b", quotas }], { random: () => 0 });
    await limiter.run("chat", () => 0, { only: ["b"] });
    const call = refusalOf(limiter.run("chat", () => Promise.reject(new HttpError(401)), { timeoutMs: 1_000 }));
    await clock.advanceMsAsync(2_000);
    expect(await call).toMatchObject({ kind: "timed_out", attempts: [{ provider: "a" }] });
    expect(limiter.metrics).toMatchObject({ failovers: 0, leasesReleased: 1 });
    expect(events.filter(({ name }) => name === "failover")).toEqual([]);
  });
});

describe("a call in progress", () => {
  it("a call in progress uses the current list of the capability", async () => {
    const { limiter } = runFixture(["a", "b"]);
    const seen: string[] = [];
    const results = limiter.map("chat", [1, 2, 3], (_, { provider }) => seen.push(provider), { concurrency: 1 });
    for await (const _ of results) limiter.upsertCapability({ name: "chat", providers: ["b"] });
    expect(seen).toEqual(["a", "b", "b"]);
  });

  it("a call in progress does not back off after the limiter was closed", async () => {
    const { limiter, clock } = runFixture(["a"], { random: () => 0.999 });
    const call = watch(
      limiter.run("chat", async () => {
        limiter.close();
        throw new HttpError(503);
      }),
    );
    await clock.advanceMsAsync(0);
    expect(call.error).toMatchObject({ code: "closed" });
  });
});

describe("a call during backoff", () => {
  it("closing the limiter ends a call during backoff", async () => {
    const { limiter, clock } = runFixture(["a"], { random: () => 0.999 });
    const call = watch(limiter.run("chat", () => Promise.reject(new HttpError(500))));
    await clock.advanceMsAsync(10);
    expect(call.state).toBe("open");
    limiter.close();
    await clock.advanceMsAsync(0);
    expect(call.error).toMatchObject({ code: "closed" });
  });
});

describe("backoff", () => {
  it.each([
    [0, 500],
    [1, 1_000],
    [2, 2_000],
    [3, 4_000],
    [4, 8_000],
    [5, 8_000],
    [2_000, 8_000],
  ])("backoff after %i earlier failures is less than %i ms", (failures, most) => {
    expect(backoffMs(failures, () => 0)).toBe(0);
    expect(backoffMs(failures, () => 0.5)).toBe(most / 2);
    expect(backoffMs(failures, () => 1 - Number.EPSILON)).toBeLessThanOrEqual(most);
  });

  it.each([Number.NaN, undefined, "x"])("backoff is 0 if `random` returns %s", (random) => {
    expect(backoffMs(1, () => random as number)).toBe(0);
  });

  it("backoff never exceeds its maximum", () => {
    expect(backoffMs(0, () => 7)).toBe(500);
    expect(backoffMs(0, () => Number.POSITIVE_INFINITY)).toBe(500);
  });
});
