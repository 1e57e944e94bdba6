// The instant at which a demand fits into a quota, for each assumption about its reservations.
import { describe, expect, it } from "vitest";
import { earliestFit, fitsInMs, NOT_KNOWN_YET } from "../../../src/quota/availability.ts";
import { BurnRate } from "../../../src/quota/burn-rate.ts";
import { Concurrency } from "../../../src/quota/concurrency.ts";
import { REQUESTS, TOKENS } from "../../../src/quota/dimension-index.ts";
import { Quota } from "../../../src/quota/quota.ts";
import { quotaSpecs } from "../../../src/quota/quota-spec.ts";
import { SlidingWindow } from "../../../src/quota/sliding-window.ts";
import { TokenBucket } from "../../../src/quota/token-bucket.ts";
import type { Tracker } from "../../../src/quota/tracker.ts";
import { completeUsage, type Demand, unspecifiedUsage } from "../../../src/quota/usage-vector.ts";

const WINDOW_MS = 60_000;

function quotaOf(limit: number, tracker: Tracker = new SlidingWindow(limit, WINDOW_MS)): Quota {
  const [spec] = quotaSpecs(undefined, [{ dimension: "tokens", limit, window: "minute" }], null);
  return new Quota(spec!, null, tracker, new BurnRate());
}

function tokens(amount: number, variance = 0): Demand {
  const amounts = unspecifiedUsage();
  amounts[TOKENS] = amount;
  completeUsage(amounts, null);
  return { amounts, variance, costPerToken: 0 };
}

describe("earliestFit", () => {
  it("the earliest fit is now if there is capacity, or if a quota above its limit is not needed", () => {
    const quota = quotaOf(10);
    expect(earliestFit(quota, tokens(10), 5)).toBe(5);
    quota.record(20, 5);
    expect(earliestFit(quota, tokens(0), 5)).toBe(5);
    expect(fitsInMs(quota, tokens(0), 5)).toBe(0);
  });

  it("the earliest fit is the instant at which enough usage is released, and Infinity if usage alone cannot free capacity", () => {
    const quota = quotaOf(10);
    quota.record(4, 0);
    quota.record(4, 1_000);
    expect(earliestFit(quota, tokens(6), 2_000)).toBe(WINDOW_MS);
    expect(earliestFit(quota, tokens(10), 2_000)).toBe(WINDOW_MS + 1_000);
    quota.reserve(2, 0, 2_000, 2_000, 3_000);
    expect(earliestFit(quota, tokens(10), 2_000)).toBe(Infinity);
  });

  it("the earliest fit includes the claims of waiters ahead", () => {
    const quota = quotaOf(10);
    quota.record(4, 0);
    expect(earliestFit(quota, tokens(3), 0, { claimed: 3 })).toBe(0);
    expect(earliestFit(quota, tokens(3), 0, { claimed: 4 })).toBe(WINDOW_MS);
    expect(earliestFit(quota, tokens(3), 0, { claimed: Infinity })).toBe(Infinity);
    expect(earliestFit(quota, tokens(0), 0, { claimed: Infinity })).toBe(0);
  });

  it("an estimate needs a margin for its own error and that of the open estimates, but never more than the limit", () => {
    const quota = quotaOf(1_000);
    quota.record(1, 0);
    // 3 x sqrt(100 + 100^2 / (100 x 300)) = 30.05
    expect(earliestFit(quota, tokens(968, 100), 0)).toBe(0);
    expect(earliestFit(quota, tokens(969, 100), 0)).toBe(WINDOW_MS);
    // A reservation of 0 adds only its variance: 3 x sqrt(400 + 400^2 / (100 x 300)) = 60.4
    quota.reserve(0, 300, 0, 0, 1_000);
    expect(earliestFit(quota, tokens(938, 100), 0)).toBe(0);
    expect(earliestFit(quota, tokens(939, 100), 0)).toBe(WINDOW_MS);
    expect(earliestFit(quotaOf(1_000), tokens(1_000, 1e12), 0)).toBe(0);
  });

  describe("with reservations that are committed as scheduled", () => {
    const reservations = "commit";

    it("the earliest fit is a window after the commits that free enough, whatever the order of the grants", () => {
      const quota = quotaOf(3);
      for (const at of [900, 300, 600]) quota.reserve(1, 0, 0, 0, at);
      const instants = [1, 2, 3].map((amount) => earliestFit(quota, tokens(amount), 0, { reservations }));
      expect(instants).toEqual([300, 600, 900].map((at) => at + WINDOW_MS));
    });

    it("the earliest fit is later if a later commit joins the newest entry, and not if an older entry frees enough", () => {
      const quota = quotaOf(2);
      quota.record(1, 0);
      quota.reserve(1, 0, 50, 50, 100);
      // Both share one entry, because they are less than a 512th of the window apart.
      expect(earliestFit(quota, tokens(1), 60, { reservations })).toBe(WINDOW_MS + 100);
      const apart = quotaOf(3);
      apart.record(1, 0);
      apart.record(1, 5_000);
      apart.reserve(1, 0, 5_050, 5_050, 5_100);
      expect(earliestFit(apart, tokens(1), 5_060, { reservations })).toBe(WINDOW_MS);
    });

    it("the earliest fit is the instant at which the place of an ended lease is free, and unknown while the lease is open", () => {
      const [spec] = quotaSpecs({ concurrency: 1 }, undefined, null);
      const quota = new Quota(spec!, null, new Concurrency(1), new BurnRate());
      const place = quota.reserve(1, 0, 0, 0, Infinity);
      expect(earliestFit(quota, tokens(1), 0, { reservations })).toBe(Infinity);
      place.close(0);
      place.schedule(1_000);
      expect(earliestFit(quota, tokens(1), 0, { reservations })).toBe(1_000);
    });

    it("the earliest fit reads no reservation if old usage frees enough", () => {
      const limit = 20_000;
      const quota = quotaOf(limit);
      for (let i = 0; i < limit / 2; i++) quota.record(1, i);
      const last = quota.reserve(limit / 2, 0, limit / 2, limit / 2, limit);
      Object.defineProperty(last, "amount", { get: () => expect.unreachable() });
      // The oldest entry of the window, which is full.
      expect(fitsInMs(quota, tokens(1), limit / 2, { reservations })).toBe(WINDOW_MS - limit / 2 + 117);
    });
  });

  describe("with leases that might end now", () => {
    const reservations = "may-end";

    it("the earliest fit is now if open leases can return enough, reserved or counted", () => {
      const quota = quotaOf(10);
      quota.reserve(4, 0, 0, 0, 1_000);
      quota.reserve(4, 0, 0, 0, 1_000).commit(0);
      expect(earliestFit(quota, tokens(10), 0, { reservations })).toBe(0);
    });

    it("the earliest fit waits for usage of ended leases, and for their commits", () => {
      const quota = quotaOf(10);
      quota.record(5, 0);
      expect(earliestFit(quota, tokens(10), 10, { reservations })).toBe(WINDOW_MS);
      quota.reserve(5, 0, 10, 10, 1_010).close(0);
      expect(earliestFit(quota, tokens(10), 10, { reservations })).toBe(WINDOW_MS + 1_010);
    });

    it("the earliest fit does not assume that answered requests are returned", () => {
      const [spec] = quotaSpecs({ rpm: 1 }, undefined, null);
      const quota = new Quota(spec!, null, new SlidingWindow(1, WINDOW_MS), new BurnRate());
      const reservation = quota.reserve(1, 0, 0, 0, 1_000);
      expect(quota.index).toBe(REQUESTS);
      expect(earliestFit(quota, tokens(1), 10, { reservations })).toBe(10);
      reservation.commit(10);
      expect(earliestFit(quota, tokens(1), 10, { reservations })).toBe(10 + WINDOW_MS);
    });
  });

  it("the earliest fit returns it if a tracker does not know its usage yet", () => {
    const tracker = new SlidingWindow(1, WINDOW_MS);
    tracker.releaseAt = () => NOT_KNOWN_YET;
    tracker.copy = () => tracker;
    const quota = quotaOf(1, tracker);
    quota.record(1, 0);
    for (const reservations of ["stay", "commit", "may-end"] as const) {
      expect(earliestFit(quota, tokens(1), 0, { reservations })).toBe(NOT_KNOWN_YET);
    }
    expect(fitsInMs(quota, tokens(1), 0)).toBe(NOT_KNOWN_YET);
  });
});

describe("fitsInMs", () => {
  it("fitsInMs is the first integer millisecond in which a bucket has refilled enough", () => {
    const quota = quotaOf(7, new TokenBucket(7, 1_000, 7));
    quota.record(7, 0);
    const waits = [1, 2, 3, 7].map((amount) => fitsInMs(quota, tokens(amount), 0));
    expect(waits).toEqual([143, 286, 429, 1_000]);
    for (const [i, amount] of [1, 2, 3, 7].entries()) {
      expect(7 - quota.tracker.used(0) + quota.tracker.releasedBy(waits[i]!, 0)).toBeGreaterThanOrEqual(amount);
    }
  });
});
