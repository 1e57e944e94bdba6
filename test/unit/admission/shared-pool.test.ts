// Who waits claims what it waits for, and of what has room for it no more than it needs: else one who waits for a model's
// requests would keep everybody from the pool of tokens that all models share.
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

describe("a pool that has room for one who waits for something else", () => {
  it("is everybody's, but for what that one needs", async () => {
    const one = models(1_000);
    one.take({ tokens: 100 }, "hard").settle();
    const ahead = one.ask({ ...LONG, tokens: 300 }, "hard");
    await one.later(2_000);
    const passing = one.ask({ ...LONG, tokens: 500 }, "easy");
    await one.later(0);
    expect([ahead.state, passing.state]).toEqual(["waiting", "granted"]);
    // 400 are left, of which 300 are those of who waits.
    expect(one.hasRoom({ tokens: 100 }, "easy")).toBe(true);
    expect(one.refusal({ tokens: 101 }, "easy").reasons).toMatchObject([{ reason: "waiters_ahead" }]);
    await one.at(60_000);
    expect(ahead.state).toBe("granted");
  });

  it("is claimed whole by one that it has no room for beside those ahead", async () => {
    const one = models(1_000);
    one.take({ tokens: 100 }, "hard").settle();
    const asked = [one.ask({ ...LONG, tokens: 600 }, "hard"), one.ask({ ...LONG, tokens: 400 }, "easy")];
    await one.later(0);
    expect(asked.map(({ state }) => state)).toEqual(["waiting", "waiting"]);
    // 300 are nobody's now, but the second waits for them.
    expect(one.refusal({ tokens: 1 }, "easy").reasons).toMatchObject([{ reason: "waiters_ahead" }]);
    await one.at(60_000);
    expect(asked.map(({ state, atMs }) => [state, atMs])).toEqual([
      ["granted", 60_000],
      ["granted", 60_000],
    ]);
  });

  it("is looked at when it has room for both again", async () => {
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

  it("is kept for higher priorities only", async () => {
    const one = models(1_000);
    one.take({ tokens: 100 }, "hard").settle();
    one.ask({ ...LONG, tokens: 900 }, "hard");
    await one.later(0);
    const asked = [one.ask({ ...LONG, tokens: 1 }, "easy"), one.ask({ ...LONG, tokens: 1, priority: 1 }, "easy")];
    await one.later(0);
    expect(asked.map(({ state }) => state)).toEqual(["waiting", "granted"]);
  });

  it("holds an amount once for one that may go to either of two who share it", async () => {
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

  it("is kept for one whose provider has come back from a cooldown, and has no room itself", async () => {
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

  it("is not shut by one who waits for a trial", async () => {
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

it("one who waits for tokens leaves requests to those that need none", async () => {
  const one = new Desk({
    providers: [{ name: "a", limits: { rpm: 1_000, tpm: 1_000 } }],
    capabilities: { chat: ["a"] },
  });
  one.take({ tokens: 1_000 }).settle();
  one.ask({ ...LONG, tokens: 10 });
  await one.later(0);
  expect(one.hasRoom({ tokens: 0 })).toBe(true);
});
