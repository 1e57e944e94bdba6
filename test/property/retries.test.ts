// Calls when a provider breaks: none is lost that another provider, or the same one a little later, could have served.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CALLS, FAILURES, failureOf, type Outage, outageFixture } from "../support/outage-fixture.ts";
import { HttpError } from "../support/run-fixture.ts";

// The rules of this file hold for every length of a cooldown; the outages last a few seconds.
const SHORT = { defaultCooldownSeconds: 1, minimumHealthScore: 0 };
const shares = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

describe("one of two providers breaks with requests in flight", () => {
  for (const kind of FAILURES) {
    it.each([20, 100, 1_000])(`a failure of kind ${kind} with %i requests in flight loses none of them`, async (n) => {
      // Each request of these is a timer of the mock clock, which takes a macrotask.
      for (const call of n > 100 ? (["run"] as const) : CALLS) {
        const world = outageFixture(["a", "b"], (provider) => (provider === "a" ? failureOf(kind) : null), 50);
        const calls = Array.from({ length: n }, () => world.call(call));
        await world.clock.advanceMsAsync(200);
        expect([call, world.lost.length, world.servedAt.length]).toEqual([call, 0, n]);
        expect(world.sent).toEqual({ a: n, b: n });
        await Promise.all(calls);
      }
    });
  }
});

describe("the only provider breaks", () => {
  it("100 requests in flight that break together are all served within 15 s", async () => {
    for (const call of CALLS) {
      const world = outageFixture(["a"], (_, now) => (now < 1_000 ? failureOf("503") : null), 50, SHORT);
      const calls = Array.from({ length: 100 }, () => world.call(call));
      await world.clock.advanceMsAsync(15_000);
      expect(world.lost).toEqual([]);
      expect(world.servedAt.length).toBe(100);
      await Promise.all(calls);
    }
  });

  it("an outage of two seconds at 10 calls a second loses no call, with any random numbers", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(shares, { minLength: 20, maxLength: 20 }),
        fc.constantFrom(0, 300),
        async (random, latencyMs) => {
          let draws = 0;
          const options = { ...SHORT, random: () => random[draws++ % random.length]! };
          const isDown = (now: number) => now >= 1_000 && now < 3_000;
          const world = outageFixture(["a"], (_, now) => (isDown(now) ? failureOf("503") : null), latencyMs, options);
          for (let i = 0; i < 100; i++) {
            world.call("run");
            await world.clock.advanceMsAsync(100);
          }
          await world.clock.advanceMsAsync(60_000);
          expect(world.lost).toEqual([]);
          expect(world.servedAt.length).toBe(100);
        },
      ),
      { numRuns: 30 },
    );
  });
});

describe("map with one provider", () => {
  const items = Array.from({ length: 200 }, (_, index) => index);

  /** Runs a map over the items, and returns the indices that failed and the time of the last result. */
  async function batch(fixture: Outage, task: (item: number) => Promise<number>, ms: number) {
    const failed: number[] = [];
    let endedAt = Number.NaN;
    const running = (async () => {
      for await (const { ok, index } of fixture.limiter.map("chat", items, task)) if (!ok) failed.push(index);
      endedAt = fixture.clock.now() - 1_000;
    })();
    await fixture.clock.advanceMsAsync(ms);
    if (!Number.isNaN(endedAt)) await running;
    return { failed: failed.sort((a, b) => a - b), endedAt };
  }

  it.each([80, 50])("that declares 100 a minute and refuses all but %i loses no item", async (truth) => {
    const world = outageFixture([{ name: "a", limits: { rpm: 100 } }], () => null, 50, SHORT);
    const admitted: number[] = [];
    const { failed, endedAt } = await batch(
      world,
      async (item) => {
        const now = world.clock.now();
        while (admitted.length > 0 && admitted[0]! <= now - 60_000) admitted.shift();
        const isRefused = admitted.length >= truth;
        if (!isRefused) admitted.push(now);
        await world.sleep(50);
        if (isRefused) throw new HttpError(429);
        return item;
      },
      1_200_000,
    );
    expect(failed).toEqual([]);
    expect(endedAt).toBeLessThan(1_200_000);
  });

  it("that resets one connection with 30 of 50 items in flight loses no item", async () => {
    const world = outageFixture([{ name: "a", limits: { concurrency: 50 } }], () => null, 100, SHORT);
    let resets = 0;
    const { failed, endedAt } = await batch(
      world,
      async (item) => {
        await world.sleep(100);
        if (world.clock.now() - 1_000 === 100 && ++resets <= 30) throw failureOf("reset");
        return item;
      },
      60_000,
    );
    expect(failed).toEqual([]);
    expect(endedAt).toBeLessThan(10_000);
  });

  it("loses three poisonous items and no other", async () => {
    const world = outageFixture([{ name: "a", limits: { concurrency: 10 } }], () => null, 100, SHORT);
    const { failed, endedAt } = await batch(
      world,
      async (item) => {
        await world.sleep(100);
        if ([3, 70, 150].includes(item)) throw failureOf("500");
        return item;
      },
      600_000,
    );
    expect(failed).toEqual([3, 70, 150]);
    expect(endedAt).toBeLessThan(600_000);
  });
});
