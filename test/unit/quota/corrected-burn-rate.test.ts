// The true amounts of a request are known at its end. The burn rates must then be as if they had been known from its
// start.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GrateLimiter, type Lease, MockClock } from "../../../src/index.ts";
import { BurnRate } from "../../../src/quota/burn-rate.ts";
import { propertyRuns } from "../../support/test-effort.ts";

const use = fc.record({
  gapMs: fc.integer({ min: 0, max: 4_000 }),
  estimate: fc.integer({ min: 1, max: 3_000 }),
  truth: fc.integer({ min: 0, max: 3_000 }),
  takesMs: fc.integer({ min: 1, max: 20_000 }),
});

it("after a correction the burn rate is that of the corrected amount", () => {
  fc.assert(
    fc.property(fc.array(use, { minLength: 2, maxLength: 40 }), fc.nat(30_000), (uses, laterMs) => {
      const corrected = new BurnRate();
      const known = new BurnRate();
      const ends: { readonly at: number; readonly act: () => void }[] = [];
      let now = 0;
      for (const { gapMs, estimate, truth, takesMs } of uses) {
        now += gapMs;
        const at = now;
        ends.push({ at, act: () => corrected.count(estimate, at) });
        ends.push({ at: at + takesMs, act: () => corrected.count(truth - estimate, at + takesMs, at) });
        known.count(truth, at);
      }
      for (const { act } of ends.sort((a, b) => a.at - b.at)) act();
      const read = Math.max(now, ...ends.map(({ at }) => at)) + 5_000 + laterMs;
      // An amount that is corrected to 0 still counts as an arrival.
      if (uses.some(({ truth }) => truth === 0)) return;
      expect(corrected.perSecond(read)).toBeCloseTo(known.perSecond(read), 6);
    }),
    { numRuns: propertyRuns(500) },
  );
});

describe("a steady load with estimates that are too high", () => {
  it.each([900, 1_100, 3_000])(
    "a steady load below the limit is not forecast to exhaust it, with requests of %s ms",
    (takesMs) => {
      const clock = new MockClock();
      const limiter = new GrateLimiter({
        clock,
        providers: [{ name: "a", limits: { tpm: 600_000 } }],
        capabilities: { chat: ["a"] },
      });
      const open: { readonly endAt: number; readonly lease: Lease }[] = [];
      let worst = 1;
      // 8 requests a second, estimated at 2,000 tokens, truly 1,000: 80 %.
      for (let i = 0; i < 8 * 120; i++) {
        const answer = limiter.tryAcquire("chat", { tokens: 2_000 });
        if (!answer.granted) throw new Error("refused");
        open.push({ endAt: clock.now() + takesMs, lease: answer });
        clock.advanceMs(125);
        for (const { lease } of open.splice(
          0,
          open.findIndex(({ endAt }) => endAt > clock.now()),
        )) {
          lease.settle({ usage: { tokens: 1_000 } });
        }
        if (i > 8 * 60) worst = Math.min(worst, limiter.select("chat", { tokens: 1 }).reasoning.quotaScore);
      }
      // Requests in flight still count twice their true amount.
      expect(limiter.forecast("a")![0]!.burnPerSecond).toBeLessThan(8_000 * 1.4);
      expect(worst).toBeGreaterThan(0.09);
    },
  );
});
