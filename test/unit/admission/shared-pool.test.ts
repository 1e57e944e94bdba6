// A waiter claims the capacity that it waits for and no more than it needs of other quotas. Otherwise a waiter for the
// requests of one model would block the token pool that all models share.
import { describe, expect, it } from "vitest";
import { LimiterFixture } from "../../support/limiter-fixture.ts";

const LONG = { maxWaitMs: 1e9 };

function pooledFixture(tokens: number) {
  return new LimiterFixture({
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
    const fixture = pooledFixture(1_000);
    fixture.grant({ tokens: 100 }, "hard").settle();
    const ahead = fixture.acquire({ ...LONG, tokens: 300 }, "hard");
    await fixture.advance(2_000);
    const passing = fixture.acquire({ ...LONG, tokens: 500 }, "easy");
    await fixture.advance(0);
    expect([ahead.state, passing.state]).toEqual(["waiting", "granted"]);
    // 400 tokens remain, and the waiter claims 300 of them.
    expect(fixture.hasCapacity({ tokens: 100 }, "easy")).toBe(true);
    expect(fixture.refusal({ tokens: 101 }, "easy").reasons).toMatchObject([{ reason: "waiters_ahead" }]);
    await fixture.advanceTo(60_000);
    expect(ahead.state).toBe("granted");
  });

  it("a waiter claims the whole pool if its amount does not fit beside those ahead of it", async () => {
    const fixture = pooledFixture(1_000);
    fixture.grant({ tokens: 100 }, "hard").settle();
    const asked = [
      fixture.acquire({ ...LONG, tokens: 600 }, "hard"),
      fixture.acquire({ ...LONG, tokens: 400 }, "easy"),
    ];
    await fixture.advance(0);
    expect(asked.map(({ state }) => state)).toEqual(["waiting", "waiting"]);
    // 300 tokens are not claimed by the first waiter, but the second waits for them.
    expect(fixture.refusal({ tokens: 1 }, "easy").reasons).toMatchObject([{ reason: "waiters_ahead" }]);
    await fixture.advanceTo(60_000);
    expect(asked.map(({ state, atMs }) => [state, atMs])).toEqual([
      ["granted", 60_000],
      ["granted", 60_000],
    ]);
  });

  it("a claim on the pool becomes smaller when the pool has room, although the place is still taken", async () => {
    const fixture = new LimiterFixture({
      pools: { organisation: { limits: { tpm: 60 } } },
      providers: [
        { name: "large", limits: { concurrency: 1 }, pools: ["organisation"] },
        { name: "small", pools: ["organisation"] },
      ],
      capabilities: { hard: ["large"], easy: ["small"] },
    });
    fixture.grant({ tokens: 40 }, "easy").settle();
    fixture.grant({ tokens: 0 }, "hard");
    const ahead = fixture.acquire({ ...LONG, tokens: 40 }, "hard");
    const behind = fixture.acquire({ ...LONG, tokens: 20 }, "easy");
    await fixture.advanceTo(59_000);
    // No call is made meanwhile: the queue finds the instant by itself.
    expect([ahead.state, behind.state]).toEqual(["waiting", "waiting"]);
    await fixture.advanceTo(60_000);
    expect([ahead.state, behind.state]).toEqual(["waiting", "granted"]);
  });

  it("the pool is evaluated again when it has capacity for both waiters", async () => {
    const fixture = pooledFixture(1_000);
    fixture.grant({ tokens: 500 }, "easy").settle();
    await fixture.advanceTo(30_000);
    fixture.grant({ tokens: 100 }, "hard").settle();
    const ahead = fixture.acquire({ ...LONG, tokens: 300 }, "hard");
    const behind = fixture.acquire({ ...LONG, tokens: 200 }, "easy");
    await fixture.advanceTo(59_000);
    expect([ahead.state, behind.state]).toEqual(["waiting", "waiting"]);
    await fixture.advanceTo(60_000);
    expect([ahead.state, behind.state]).toEqual(["waiting", "granted"]);
    await fixture.advanceTo(90_000);
    expect(ahead.state).toBe("granted");
  });

  it("the claim on a pool yields to higher priorities only", async () => {
    const fixture = pooledFixture(1_000);
    fixture.grant({ tokens: 100 }, "hard").settle();
    fixture.acquire({ ...LONG, tokens: 900 }, "hard");
    await fixture.advance(0);
    const asked = [
      fixture.acquire({ ...LONG, tokens: 1 }, "easy"),
      fixture.acquire({ ...LONG, tokens: 1, priority: 1 }, "easy"),
    ];
    await fixture.advance(0);
    expect(asked.map(({ state }) => state)).toEqual(["waiting", "granted"]);
  });

  it("a waiter that two providers of one pool can serve claims its amount in the pool once", async () => {
    const fixture = pooledFixture(1_000);
    fixture.grant({ tokens: 0 }, "hard").settle();
    fixture.limiter.updateProvider("small", { limits: { rpm: 0 } });
    fixture.acquire({ ...LONG, tokens: 600 }, "hard");
    fixture.limiter.updateProvider("small", { limits: { rpm: 1 } });
    fixture.grant({ tokens: 0 }, "easy").settle();
    fixture.acquire({ ...LONG, tokens: 200 }, "either");
    await fixture.advance(0);
    fixture.limiter.upsertProvider({ name: "other", pools: ["organisation"] });
    fixture.limiter.upsertCapability({ name: "more", providers: ["other"] });
    expect(fixture.hasCapacity({ tokens: 200 }, "more")).toBe(true);
    expect(fixture.hasCapacity({ tokens: 201 }, "more")).toBe(false);
  });

  it("a waiter claims the pool if its provider is back from a cooldown and has no capacity of its own", async () => {
    const fixture = pooledFixture(1_000);
    fixture.limiter.upsertProvider({ name: "other", pools: ["organisation"] });
    fixture.limiter.upsertCapability({ name: "more", providers: ["other"] });
    fixture.limiter.observe({ provider: "large", usage: { tokens: 0 }, outcome: { status: 429, retryAfterMs: 500 } });
    const ahead = fixture.acquire({ ...LONG, tokens: 1_000 }, "hard");
    await fixture.advanceTo(499);
    expect(fixture.hasCapacity({ tokens: 1 }, "more")).toBe(true);
    await fixture.advanceTo(500);
    expect(fixture.hasCapacity({ tokens: 1 }, "more")).toBe(false);
    await fixture.advanceTo(60_000);
    expect(ahead.state).toBe("granted");
  });

  it("a waiter for a trial does not block the pool", async () => {
    const fixture = pooledFixture(1_000_000);
    const outcome = { status: 429, retryAfterMs: 1_000 };
    fixture.limiter.updateProvider("large", { limits: { rpm: 100 } });
    fixture.limiter.observe({ provider: "large", outcome });
    await fixture.advanceTo(1_000);
    fixture.grant({ tokens: 10 }, "hard");
    const ahead = fixture.acquire({ ...LONG, tokens: 10 }, "hard");
    await fixture.advance(0);
    expect(ahead.state).toBe("waiting");
    expect(fixture.hasCapacity({ tokens: 10 }, "easy")).toBe(true);
  });
});

it("a waiter for tokens leaves the requests to calls that need no tokens", async () => {
  const fixture = new LimiterFixture({
    providers: [{ name: "a", limits: { rpm: 1_000, tpm: 1_000 } }],
    capabilities: { chat: ["a"] },
  });
  fixture.grant({ tokens: 1_000 }).settle();
  fixture.acquire({ ...LONG, tokens: 10 });
  await fixture.advance(0);
  expect(fixture.hasCapacity({ tokens: 0 })).toBe(true);
});
