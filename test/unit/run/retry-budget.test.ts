// The number of retries that a limiter adds, and the pauses that it leaves a provider.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { MockClock, RunOptions } from "../../../src/index.ts";
import { RetryBudget } from "../../../src/provider/retry-budget.ts";
import { backoffMs } from "../../../src/run/backoff.ts";
import { HttpError, refusalOf, runFixture, watch } from "../../support/run-fixture.ts";

const EMPTY = { ratio: 0, perMinute: 0 };

const taken = (budget: RetryBudget, now: number, most = 1_000) => {
  let count = 0;
  for (; count < most && budget.hold(now); count++) budget.settle(true, now);
  return count;
};

describe("the retry budget of a provider", () => {
  it("the default retry budget is 10 a minute plus a fifth of the requests", () => {
    const budget = new RetryBudget();
    expect(taken(budget, 0)).toBe(10);
    for (let i = 0; i < 200; i++) budget.countRequest(1_000);
    expect(taken(budget, 1_000)).toBe(40);
    // Only the retries and requests of the last minute count.
    expect(taken(budget, 60_000)).toBe(10);
    expect(taken(budget, 61_000)).toBe(0);
    expect(taken(budget, 121_000)).toBe(10);
  });

  it("a held retry counts until it is returned", () => {
    const budget = new RetryBudget({ ratio: 0, perMinute: 2 });
    expect([budget.hold(0), budget.hold(0), budget.hold(0)]).toEqual([true, true, false]);
    budget.settle(false, 0);
    expect([budget.hold(0), budget.hold(0)]).toEqual([true, false]);
    budget.settle(true, 0);
    budget.settle(true, 0);
    expect(budget.hold(1)).toBe(false);
  });

  it.each([
    [{ ratio: 0, perMinute: 0 }, 0],
    [{ ratio: 0, perMinute: 3 }, 3],
    [{ ratio: 0.5, perMinute: 0 }, 50],
    [{ ratio: 1 }, 110],
    [{ perMinute: 0 }, 20],
    [{ ratio: undefined, perMinute: undefined }, 30],
    [{ perMinute: Number.POSITIVE_INFINITY }, 1_000],
    [{ ratio: Number.POSITIVE_INFINITY, perMinute: 0 }, 1_000],
    [false as const, 1_000],
  ])("the retry budget %j allows %i retries for 100 requests", (options, expected) => {
    const budget = new RetryBudget(options);
    for (let i = 0; i < 100; i++) budget.countRequest(0);
    expect(taken(budget, 0)).toBe(expected);
  });

  it("an infinite ratio of no requests is nothing", () => {
    expect(taken(new RetryBudget({ ratio: Number.POSITIVE_INFINITY, perMinute: 3 }), 0)).toBe(3);
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
          while (budget.hold(now)) {
            budget.settle(true, now);
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
  const refused = (sent: string[], clock: MockClock) => async (context: { readonly provider: string }) => {
    sent.push(`${context.provider} ${clock.now() - 1_000}`);
    throw new HttpError(429);
  };
  // A provider that refuses stays eligible here.
  const patient = { cooldownTriggerCount: 1e6, penalty429: 0 };
  const options = { retryBudget: EMPTY, health: patient, random: () => 0 };

  it("the message of a failed call lists the attempted providers, their failures, and the last answer", async () => {
    const { limiter } = runFixture(["a", "b"], options);
    const { message } = await refusalOf(
      limiter.run("chat", () => Promise.reject(new HttpError(429)), { maxWaitMs: 0 }),
    );
    expect(message).toBe(
      'no provider available for "chat": attempts failed: "a" rate limited, "b" rate limited (last answer: 429 "status 429")',
    );
  });

  it("a call that is refused by all providers goes on without budget until its patience ends", async () => {
    const { limiter, clock } = runFixture(["a", "b", "c"], options);
    const sent: string[] = [];
    const call = watch(limiter.run("chat", refused(sent, clock), { maxWaitMs: 1_000 }));
    await clock.advanceMsAsync(1_000);
    expect(sent).toEqual(["a 0", "b 0", "c 0", "a 250", "b 250", "c 250", "a 750", "b 750", "c 750"]);
    expect(call.error).toMatchObject({ kind: "attempts_failed", attempts: { length: 9 } });
  });

  const IN_VAIN: { readonly [why: string]: { readonly b: object; readonly options?: RunOptions } } = {
    "is paused": { b: { paused: true } },
    "is excluded": { b: {}, options: { exclude: ["b"] } },
    "is not among those asked for": { b: {}, options: { only: ["a"] } },
    "is too small": { b: { limits: { rpm: 0 } } },
    "has no capacity": { b: { limits: { rpd: 1 } } },
  };

  it.each(Object.entries(IN_VAIN))(
    "a retry after possible work waits for budget as long as its patience lasts if the other provider %s",
    async (_, { b, options: runOptions }) => {
      const { limiter, clock } = runFixture(["a", { name: "b", ...b }], {
        retryBudget: EMPTY,
        health: { cooldownTriggerCount: 1e6, penalty5xx: 0 },
        random: () => 0,
      });
      limiter.observe({ provider: "b", outcome: { status: "success" } });
      const calls = Array.from({ length: 20 }, () =>
        watch(limiter.run("chat", () => Promise.reject(new HttpError(500)), { ...runOptions, maxWaitMs: 5_000 })),
      );
      await clock.advanceMsAsync(4_999);
      expect(calls.map(({ state }) => state)).toEqual(calls.map(() => "open"));
      expect(limiter.inspect().waiting).toEqual({});
      await clock.advanceMsAsync(1);
      for (const { error } of calls) expect(error).toMatchObject({ kind: "retry_budget", attempts: { length: 1 } });
      expect(limiter.inspect().providers.map(({ inFlight }) => inFlight)).toEqual([0, 0]);
      // Each call is refused once, at its end.
      expect(limiter.metrics.refusals).toBe(20);
    },
  );
});

describe("a call that waits for budget", () => {
  const health = { cooldownTriggerCount: 1e6, penalty5xx: 0 };
  const failing = async () => {
    throw new HttpError(500);
  };

  it("goes on when a request that was granted after its failure succeeds", async () => {
    const { limiter, clock } = runFixture(["a"], { retryBudget: EMPTY, health });
    let isDown = true;
    const call = watch(limiter.run("chat", () => (isDown ? failing() : "served")));
    await clock.advanceMsAsync(10_000);
    expect(call.state).toBe("open");
    isDown = false;
    await limiter.run("chat", () => "proof");
    await clock.advanceMsAsync(1_000);
    expect(call.value).toMatchObject({ value: "served", attempts: { length: 2 } });
  });

  it("goes on when the budget refills", async () => {
    const { limiter, clock } = runFixture(["a"], { retryBudget: { ratio: 0, perMinute: 1 }, health });
    const first = watch(limiter.run("chat", failing, { maxAttempts: 2 }));
    await clock.advanceMsAsync(1_000);
    expect(first.error).toMatchObject({ kind: "attempts_failed" });
    const second = watch(limiter.run("chat", failing, { maxAttempts: 2, maxWaitMs: 90_000 }));
    await clock.advanceMsAsync(59_000);
    expect(second.state).toBe("open");
    await clock.advanceMsAsync(2_000);
    expect(second.error).toMatchObject({ kind: "attempts_failed", attempts: { length: 2 } });
  });

  it("is served by another provider as soon as that has capacity", async () => {
    const quotas = [{ dimension: "requests" as const, limit: 1, window: { seconds: 5 } }];
    const { limiter, clock } = runFixture(["a", { name: "b", quotas }], { retryBudget: EMPTY, health });
    await limiter.run("chat", () => 0, { only: ["b"] });
    const call = watch(limiter.run("chat", ({ provider }) => (provider === "a" ? failing() : provider)));
    await clock.advanceMsAsync(4_990);
    expect(call.state).toBe("open");
    await clock.advanceMsAsync(10);
    expect(call.value).toMatchObject({ value: "b" });
  });

  it.each([false as const, { perMinute: Number.POSITIVE_INFINITY }])(
    "never waits with retryBudget %j",
    async (retryBudget) => {
      const { limiter, clock } = runFixture(["a"], { retryBudget, health });
      const calls = Array.from({ length: 200 }, () => watch(limiter.run("chat", failing)));
      await clock.advanceMsAsync(2_000);
      for (const { error } of calls) expect(error).toMatchObject({ kind: "attempts_failed", attempts: { length: 3 } });
    },
  );
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
    expect(at).toEqual([0, 499.75, 1_499.25]);
    waiting.catch(() => {});
    limiter.close();
  });

  it("a call in backoff is not in the queue, claims nothing, and returns in the order of its arrival", async () => {
    const { limiter, clock } = runFixture([{ name: "a", limits: { concurrency: 1 } }], { random: () => 0 });
    const served: string[] = [];
    const task = (name: string, ms: number) => async () => {
      served.push(name);
      await new Promise<void>((resolve) => void clock.wakeAt(clock.now() + ms, resolve));
      if (served.length === 1) throw new HttpError(500);
    };
    limiter.run("chat", task("old", 10));
    // "first" is at work when "old" has backed off, and "second" waits.
    for (const name of ["first", "second", "third"]) limiter.run("chat", task(name, 1_000));
    await clock.advanceMsAsync(100);
    expect(limiter.inspect().waiting).toEqual({ chat: 2 });
    await clock.advanceMsAsync(200);
    expect(limiter.inspect().waiting).toEqual({ chat: 3 });
    await clock.advanceMsAsync(5_000);
    expect(served).toEqual(["old", "first", "old", "second", "third"]);
  });

  it("a call that returns to a full queue is not refused", async () => {
    const { limiter, clock } = runFixture([{ name: "a", limits: { concurrency: 1 } }], { maxWaiting: 1 });
    const sleep = (ms: number) => new Promise<void>((resolve) => void clock.wakeAt(clock.now() + ms, resolve));
    let isDown = true;
    const task = async () => {
      await sleep(1_000);
      if (isDown) throw new HttpError(500);
    };
    const calls = [watch(limiter.run("chat", task)), watch(limiter.run("chat", () => sleep(1_000)))];
    await clock.advanceMsAsync(1_100);
    isDown = false;
    calls.push(watch(limiter.run("chat", task)));
    await clock.advanceMsAsync(10_000);
    expect(calls.map(({ state }) => state)).toEqual(["resolved", "resolved", "resolved"]);
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
  ])("backoff after %i earlier failures is from half of %i ms to all of it", (failures, most) => {
    expect(backoffMs(failures, () => 0)).toBe(most / 2);
    expect(backoffMs(failures, () => 0.5)).toBe(0.75 * most);
    expect(backoffMs(failures, () => 1 - Number.EPSILON)).toBeLessThanOrEqual(most);
  });

  it.each([Number.NaN, undefined, "x"])("the random half of backoff is 0 if `random` returns %s", (random) => {
    expect(backoffMs(1, () => random as number)).toBe(500);
  });

  it("backoff never exceeds its maximum", () => {
    expect(backoffMs(0, () => 7)).toBe(500);
    expect(backoffMs(0, () => Number.POSITIVE_INFINITY)).toBe(500);
  });
});
