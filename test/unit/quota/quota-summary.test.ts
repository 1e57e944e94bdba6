// A quota caches values between reads. The cache must not be visible: frequent reads and a single read give the same
// values.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { everyWindow } from "../../../src/clock/reset-schedule.ts";
import { BurnRate } from "../../../src/quota/burn-rate.ts";
import { FixedWindow } from "../../../src/quota/fixed-window.ts";
import { Quota } from "../../../src/quota/quota.ts";
import { quotaSpecs } from "../../../src/quota/quota-spec.ts";
import { SlidingWindow } from "../../../src/quota/sliding-window.ts";
import { TokenBucket } from "../../../src/quota/token-bucket.ts";
import type { Tracker } from "../../../src/quota/tracker.ts";
import { propertyRuns } from "../../support/test-effort.ts";

const LIMIT = 50;
const WINDOW_MS = 60_000;
const trackers: { readonly [strategy: string]: () => Tracker } = {
  sliding_window: () => new SlidingWindow(LIMIT, WINDOW_MS),
  fixed_window: () => new FixedWindow(LIMIT, everyWindow(0, WINDOW_MS), 0),
  token_bucket: () => new TokenBucket(LIMIT, WINDOW_MS, LIMIT),
};

/** The share that results from a reading of one quota. */
function share(quota: Quota, now: number): number {
  const reading = {
    quotaScore: 1,
    reportedQuotaScore: 1,
    requestsLeft: Number.POSITIVE_INFINITY,
    sizeLeft: Number.POSITIVE_INFINITY,
    leastSize: Number.POSITIVE_INFINITY,
    openVariance: 0,
  };
  quota.read(reading, now);
  return reading.quotaScore;
}

function quotaOf(tracker: Tracker): Quota {
  const [spec] = quotaSpecs(undefined, [{ dimension: "tokens", limit: LIMIT, window: "minute" }], null);
  return new Quota(spec!, null, tracker, new BurnRate());
}

// Bursts that cause pressure, pauses in which it decays, and reads at any instant.
const step = fc.record({
  gap: fc.oneof(fc.nat(3), fc.nat(2_000), fc.nat(30_000)),
  amount: fc.oneof(fc.constant(0), fc.nat(3), fc.nat(20)),
  holds: fc.boolean(),
});

describe.each(Object.keys(trackers))("the share of a %s", (strategy) => {
  it("the share is the same after frequent reads and after a single read", () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 60 }), fc.nat(20_000), (steps, after) => {
        const often = quotaOf(trackers[strategy]!());
        const once = quotaOf(trackers[strategy]!());
        let now = 0;
        for (const { gap, amount, holds } of steps) {
          for (let looks = 1; looks <= 5; looks++) share(often, now + Math.floor((gap * looks) / 5));
          now += gap;
          for (const quota of [often, once]) {
            if (holds) quota.reserve(amount, 0, now, now, Infinity);
            else quota.record(amount, now);
          }
        }
        expect(share(often, now)).toBe(share(once, now));
        for (let looks = 1; looks <= 50; looks++) share(often, now + (after * looks) / 50);
        expect(share(often, now + after)).toBe(share(once, now + after) + 0);
      }),
      { numRuns: propertyRuns(1_000) },
    );
  });

  it("these histories do cause pressure", () => {
    const quota = quotaOf(trackers[strategy]!());
    for (let i = 0; i < 47; i++) quota.record(1, 10_000 + i);
    expect(share(quota, 10_050)).toBeLessThan(quota.ratio(10_050));
  });
});
