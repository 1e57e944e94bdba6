// What `explain` states, compared with what `acquire` does right after it.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GrateLimiter, InvalidConfig, MockClock, NoAvailableProviders } from "../../../src/index.ts";
import { LimiterFixture } from "../../support/limiter-fixture.ts";

function limiterOf(random?: () => number) {
  const clock = new MockClock();
  const limiter = new GrateLimiter({
    clock,
    ...(random && { random }),
    providers: [
      { name: "a", limits: { rpm: 5, concurrency: 2 } },
      { name: "b", priority: 3, limits: { tpm: 100 } },
    ],
    capabilities: { chat: ["a", "b"], mail: ["b"] },
    keyLimits: { rpm: 4, tpm: 150, capabilities: { mail: { rps: 1 } } },
    maxWaiting: 5,
  });
  return { clock, limiter };
}

const options = fc.record({
  tokens: fc.integer({ min: 1, max: 120 }),
  priority: fc.integer({ min: -1, max: 1 }),
  exclude: fc.constantFrom<("a" | "b")[]>([], ["a"], ["b"]),
  fairnessKey: fc.constantFrom(undefined, undefined, "x", "y"),
  maxWaitMs: fc.constantFrom(0, 500, 5_000, 90_000),
});
const step = fc.oneof(
  fc.record({
    kind: fc.constant("acquire" as const),
    capability: fc.constantFrom("chat" as const, "mail" as const),
    options,
  }),
  fc.record({
    kind: fc.constant("settle" as const),
    status: fc.constantFrom("success" as const, "rate_limited" as const),
  }),
  fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 0, max: 30_000 }) }),
);

describe("explain", () => {
  it("acquire gets the explained provider without waiting, and waits or is refused without one", async () => {
    const seen = { granted: 0, waits: 0, refused: 0 };
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40, size: "max" }), async (steps) => {
        const { clock, limiter } = limiterOf();
        const leases: { settle(settlement: { status: "success" | "rate_limited" }): void }[] = [];
        for (const each of steps) {
          if (each.kind === "wait") await clock.advanceMsAsync(each.ms);
          else if (each.kind === "settle") leases.shift()?.settle({ status: each.status });
          else {
            const before = limiter.inspect();
            const explained = limiter.explain(each.capability, each.options);
            expect(limiter.inspect()).toEqual(before);
            let granted: string | null = null;
            let isRefused = false;
            const waiting = before.queue.byKey.length > 0;
            const lease = limiter.acquire(each.capability, each.options);
            lease.then(
              (got) => {
                granted ??= got.provider;
                leases.push(got);
              },
              () => {
                isRefused = true;
              },
            );
            for (let turns = 0; turns < 5; turns++) await null;
            const outcome = granted === null ? (isRefused ? "refused" : "waits") : "granted";
            seen[outcome]++;
            // Among keys that wait, the turn of a new one can come before the calls that explain counts as ahead.
            const hasTurn = waiting && outcome === "granted";
            if (!hasTurn) expect(outcome).toBe(explained.outcome);
            if (!hasTurn) expect(granted).toBe(explained.decision?.provider ?? null);
            if (explained.decision === null) expect(explained.refusal?.reasons.length).toBeGreaterThan(0);
            else expect(explained.refusal).toBeNull();
          }
        }
        limiter.close();
      }),
      { numRuns: 300 },
    );
    expect(Math.min(...Object.values(seen))).toBeGreaterThan(100);
  });

  it("the number of calls ahead counts waiting calls of the same or a higher priority on the same providers", async () => {
    const { limiter, clock } = limiterOf();
    const full = await limiter.acquire("mail", { tokens: 100 });
    const waiting = [0, 0, 2].map((priority) =>
      limiter.acquire("mail", { tokens: 50, priority }).catch((error: unknown) => error),
    );
    expect(limiter.explain("mail", { tokens: 50 })).toMatchObject({
      outcome: "waits",
      decision: null,
      ahead: 3,
      refusal: { reasons: [{ provider: "b", reason: "quota", needed: 50, remaining: 0 }] },
    });
    expect(limiter.explain("mail", { tokens: 50, priority: 1 }).ahead).toBe(1);
    expect(limiter.explain("chat", { tokens: 50, exclude: ["b"] }).ahead).toBe(0);
    expect(limiter.explain("chat", { tokens: 50, exclude: ["b"] }).decision?.provider).toBe("a");
    full.settle();
    limiter.close();
    await clock.advanceMsAsync(0);
    await Promise.all(waiting);
  });

  it("invalid options and a closed limiter throw as with acquire", () => {
    const { limiter } = limiterOf();
    expect(() => limiter.explain("chat", { tokens: -1 })).toThrow(InvalidConfig);
    expect(() => limiter.explain("mail", { only: ["a"] as never })).not.toThrow(NoAvailableProviders);
    limiter.close();
    expect(() => limiter.explain("chat")).toThrow("closed");
  });
});

it("explain refuses a call without a cost as acquire does", async () => {
  const { limiter } = new LimiterFixture({
    providers: [{ name: "a", limits: { usdPerDay: 5 } }],
    capabilities: { chat: ["a"] },
  });
  expect(() => limiter.explain("chat")).toThrow(/costMicroUsd/);
  await expect(limiter.acquire("chat")).rejects.toThrow(/costMicroUsd/);
  expect(limiter.explain("chat", { costMicroUsd: 1 }).decision?.provider).toBe("a");
});
