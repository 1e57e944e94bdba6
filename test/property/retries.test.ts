// Calls whose provider breaks: none is lost that another provider, or the same one a little later, could have served.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CALLS, FAILURES, failureOf, outageFixture } from "../support/outage-fixture.ts";

// The rules of this file hold for every length of a cooldown; the outages last a few seconds.
const SHORT = { defaultCooldownSeconds: 1, minimumHealthScore: 0 };
const shares = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

describe("one of two providers breaks with requests in flight", () => {
  for (const kind of FAILURES) {
    it.each([20, 50, 100, 1_000])(
      `a failure of kind ${kind} with %i requests in flight loses none of them`,
      async (n) => {
        for (const call of CALLS) {
          const world = outageFixture(["a", "b"], (provider) => (provider === "a" ? failureOf(kind) : null), 50);
          const calls = Array.from({ length: n }, () => world.call(call));
          await world.clock.advanceMsAsync(200);
          expect([call, world.lost.length, world.servedAt.length]).toEqual([call, 0, n]);
          expect(world.sent).toEqual({ a: n, b: n });
          await Promise.all(calls);
        }
      },
    );
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
