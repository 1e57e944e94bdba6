// A waiter claims the capacity that it waits for and no more than it needs of other quotas. Otherwise a waiter for the
// requests of one model would block the token pool that all models share.
import { describe, expect, it } from "vitest";
import { Desk } from "../../support/limiter-fixture.ts";

const LONG = { maxWaitMs: 1e9 };

function models(tokens: number) {
  return new Desk({
    pools: { organisation: { limits: { tpm: tokens } } },
    providers: [
      { name: "large", limits: { rpm: 1 }, pools: ["organisation"] },
      { name: "small", limits: { rpm: 1_000 }, pools: ["organisation"] },
    ],
    capabilities: { hard: ["large"], easy: ["small"], either: ["large", "small"] },
  });
}

describe("a pool with capacity for a waiter that waits for another quota", () => {
  it("a pool is available to all requests, except for the amount that the waiter needs", async () => {
    const one = models(1_000);
    one.take({ tokens: 100 }, "hard").settle();
    const ahead = one.ask({ ...LONG, tokens: 300 }, "hard");
    await one.later(2_000);
    const passing = one.ask({ ...LONG, tokens: 500 }, "easy");
    await one.later(0);
    expect([ahead.state, passing.state]).toEqual(["waiting", "granted"]);
    // 400 tokens remain, and the waiter claims 300 of them.
    expect(one.hasRoom({ tokens: 100 }, "easy")).toBe(true);
    expect(one.refusal({ tokens: 101 }, "easy").reasons).toMatchObject([{ reason: "waiters_ahead" }]);
    await one.at(60_000);
    expect(ahead.state).toBe("granted");
  });

  it("a waiter claims the whole pool if its amount does not fit beside those ahead of it", async () => {
    const one = models(1_000);
    one.take({ tokens: 100 }, "hard").settle();
    const asked = [one.ask({ ...LONG, tokens: 600 }, "hard"), one.ask({ ...LONG, tokens: 400 }, "easy")];
    await one.later(0);
    expect(asked.map(({ state }) => state)).toEqual(["waiting", "waiting"]);
    // 300 tokens are not claimed by the first waiter, but the second waits for them.
    expect(one.refusal({ tokens: 1 }, "easy").reasons).toMatchObject([{ reason: "waiters_ahead" }]);
    await one.at(60_000);
    expect(asked.map(({ state, atMs }) => [state, atMs])).toEqual([
      ["granted", 60_000],
      ["granted", 60_000],
    ]);
  });

  it("the pool is evaluated again when it has capacity for both waiters", async () => {
    const one = models(1_000);
    one.take({ tokens: 500 }, "easy").settle();
    await one.at(30_000);
    one.take({ tokens: 100 }, "hard").settle();
    const ahead = one.ask({ ...LONG, tokens: 300 }, "hard");
    const behind = one.ask({ ...LONG, tokens: 200 }, "easy");
    await one.at(59_000);
    expect([ahead.state, behind.state]).toEqual(["waiting", "waiting"]);
    await one.at(60_000);
    expect([ahead.state, behind.state]).toEqual(["waiting", "granted"]);
    await one.at(90_000);
    expect(ahead.state).toBe("granted");
  });

  it("the claim on a pool yields to higher priorities only", async () => {
    const one = models(1_000);
    one.take({ tokens: 100 }, "hard").settle();
    one.ask({ ...LONG, tokens: 900 }, "hard");
    await one.later(0);
    const asked = [one.ask({ ...LONG, tokens: 1 }, "easy"), one.ask({ ...LONG, tokens: 1, priority: 1 }, "easy")];
    await one.later(0);
    expect(asked.map(({ state }) => state)).toEqual(["waiting", "granted"]);
  });

  it("a waiter that two providers of one pool can serve claims its amount in the pool once", async () => {
    const one = models(1_000);
    one.take({ tokens: 0 }, "hard").settle();
    one.limiter.updateProvider("small", { limits: { rpm: 0 } });
    one.ask({ ...LONG, tokens: 600 }, "hard");
    one.limiter.updateProvider("small", { limits: { rpm: 1 } });
    one.take({ tokens: 0 }, "easy").settle();
    one.ask({ ...LONG, tokens: 200 }, "either");
    await one.later(0);
    one.limiter.upsertProvider({ name: "other", pools: ["organisation"] });
    one.limiter.upsertCapability({ name: "more", providers: ["other"] });
    expect(one.hasRoom({ tokens: 200 }, "more")).toBe(true);
    expect(one.hasRoom({ tokens: 201 }, "more")).toBe(false);
  });

  it("a waiter claims the pool if its provider is back from a cooldown and has no capacity of its own", async () => {
    const one = models(1_000);
    one.limiter.upsertProvider({ name: "other", pools: ["organisation"] });
    one.limiter.upsertCapability({ name: "more", providers: ["other"] });
    one.limiter.observe({ provider: "large", usage: { tokens: 0 }, outcome: { status: 429, retryAfterMs: 500 } });
    const ahead = one.ask({ ...LONG, tokens: 1_000 }, "hard");
    await one.at(499);
    expect(one.hasRoom({ tokens: 1 }, "more")).toBe(true);
    await one.at(500);
    expect(one.hasRoom({ tokens: 1 }, "more")).toBe(false);
    await one.at(60_000);
    expect(ahead.state).toBe("granted");
  });

  it("a waiter for a trial does not block the pool", async () => {
    const one = models(1_000_000);
    const outcome = { status: 429, retryAfterMs: 1_000 };
    one.limiter.updateProvider("large", { limits: { rpm: 100 } });
    one.limiter.observe({ provider: "large", outcome });
    await one.at(1_000);
    one.take({ tokens: 10 }, "hard");
    const ahead = one.ask({ ...LONG, tokens: 10 }, "hard");
    await one.later(0);
    expect(ahead.state).toBe("waiting");
    expect(one.hasRoom({ tokens: 10 }, "easy")).toBe(true);
  });
});

it("a waiter for tokens leaves the requests to calls that need no tokens", async () => {
  const one = new Desk({
    providers: [{ name: "a", limits: { rpm: 1_000, tpm: 1_000 } }],
    capabilities: { chat: ["a"] },
  });
  one.take({ tokens: 1_000 }).settle();
  one.ask({ ...LONG, tokens: 10 });
  await one.later(0);
  expect(one.hasRoom({ tokens: 0 })).toBe(true);
});
