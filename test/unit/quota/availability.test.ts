// When a demand fits into a quota, depending on what becomes of the reservations.
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
  it("is now if there is room, or if nothing is needed of a quota that is over its limit", () => {
    const quota = quotaOf(10);
    expect(earliestFit(quota, tokens(10), 5)).toBe(5);
    quota.record(20, 5);
    expect(earliestFit(quota, tokens(0), 5)).toBe(5);
    expect(fitsInMs(quota, tokens(0), 5)).toBe(0);
  });

  it("is the instant at which enough usage is released, and Infinity if usage alone cannot make room", () => {
    const quota = quotaOf(10);
    quota.record(4, 0);
    quota.record(4, 1_000);
    expect(earliestFit(quota, tokens(6), 2_000)).toBe(WINDOW_MS);
    expect(earliestFit(quota, tokens(10), 2_000)).toBe(WINDOW_MS + 1_000);
    quota.reserve(2, 0, 2_000, 2_000, 3_000);
    expect(earliestFit(quota, tokens(10), 2_000)).toBe(Infinity);
  });

  it("adds what waiters ahead have claimed", () => {
    const quota = quotaOf(10);
    quota.record(4, 0);
    expect(earliestFit(quota, tokens(3), 0, { claimed: 3 })).toBe(0);
    expect(earliestFit(quota, tokens(3), 0, { claimed: 4 })).toBe(WINDOW_MS);
    expect(earliestFit(quota, tokens(3), 0, { claimed: Infinity })).toBe(Infinity);
    expect(earliestFit(quota, tokens(0), 0, { claimed: Infinity })).toBe(0);
  });

  it("leaves a margin for an estimate, for its own error and that of the open ones, but never more than the limit", () => {
    const quota = quotaOf(1_000);
    quota.record(1, 0);
    // 3 x sqrt(100 + 100^2 / (100 x 300)) = 30.05
    expect(earliestFit(quota, tokens(968, 100), 0)).toBe(0);
    expect(earliestFit(quota, tokens(969, 100), 0)).toBe(WINDOW_MS);
    // The reservation of nothing adds its variance alone: 3 x sqrt(400 + 400^2 / (100 x 300)) = 60.4
    quota.reserve(0, 300, 0, 0, 1_000);
    expect(earliestFit(quota, tokens(938, 100), 0)).toBe(0);
    expect(earliestFit(quota, tokens(939, 100), 0)).toBe(WINDOW_MS);
    expect(earliestFit(quotaOf(1_000), tokens(1_000, 1e12), 0)).toBe(0);
  });

  describe("with reservations that are committed as scheduled", () => {
    const reservations = "commit";

    it("is a window after the commits that make room, whatever the order of the grants", () => {
      const quota = quotaOf(3);
      for (const at of [900, 300, 600]) quota.reserve(1, 0, 0, 0, at);
      const instants = [1, 2, 3].map((amount) => earliestFit(quota, tokens(amount), 0, { reservations }));
      expect(instants).toEqual([300, 600, 900].map((at) => at + WINDOW_MS));
    });

    it("is later if a later commit joins the newest entry, and not if an older entry makes the room", () => {
      const quota = quotaOf(2);
      quota.record(1, 0);
      quota.reserve(1, 0, 50, 50, 100);
      // Both share one entry: they are less than a 512th of the window apart.
      expect(earliestFit(quota, tokens(1), 60, { reservations })).toBe(WINDOW_MS + 100);
      const apart = quotaOf(3);
      apart.record(1, 0);
      apart.record(1, 5_000);
      apart.reserve(1, 0, 5_050, 5_050, 5_100);
      expect(earliestFit(apart, tokens(1), 5_060, { reservations })).toBe(WINDOW_MS);
    });

    it("is the instant at which the place of an ended lease is free, and unknown as long as the lease is open", () => {
      const [spec] = quotaSpecs({ concurrency: 1 }, undefined, null);
      const quota = new Quota(spec!, null, new Concurrency(1), new BurnRate());
      const place = quota.reserve(1, 0, 0, 0, Infinity);
      expect(earliestFit(quota, tokens(1), 0, { reservations })).toBe(Infinity);
      place.close();
      place.schedule(1_000);
      expect(earliestFit(quota, tokens(1), 0, { reservations })).toBe(1_000);
    });

    it("does not look at reservations if usage that was counted long ago makes the room", () => {
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

    it("is now if they might return enough, reserved or counted", () => {
      const quota = quotaOf(10);
      quota.reserve(4, 0, 0, 0, 1_000);
      quota.reserve(4, 0, 0, 0, 1_000).commit(0);
      expect(earliestFit(quota, tokens(10), 0, { reservations })).toBe(0);
    });

    it("waits for usage of ended leases, and for their commits", () => {
      const quota = quotaOf(10);
      quota.record(5, 0);
      expect(earliestFit(quota, tokens(10), 10, { reservations })).toBe(WINDOW_MS);
      quota.reserve(5, 0, 10, 10, 1_010).close();
      expect(earliestFit(quota, tokens(10), 10, { reservations })).toBe(WINDOW_MS + 1_010);
    });

    it("does not count on requests that were answered", () => {
      const [spec] = quotaSpecs({ rpm: 1 }, undefined, null);
      const quota = new Quota(spec!, null, new SlidingWindow(1, WINDOW_MS), new BurnRate());
      const reservation = quota.reserve(1, 0, 0, 0, 1_000);
      expect(quota.index).toBe(REQUESTS);
      expect(earliestFit(quota, tokens(1), 10, { reservations })).toBe(10);
      reservation.commit(10);
      expect(earliestFit(quota, tokens(1), 10, { reservations })).toBe(10 + WINDOW_MS);
    });
  });

  it("passes on that a tracker does not know yet", () => {
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
  it("is the first whole ms in which a bucket has refilled enough", () => {
    const quota = quotaOf(7, new TokenBucket(7, 1_000, 7));
    quota.record(7, 0);
    const waits = [1, 2, 3, 7].map((amount) => fitsInMs(quota, tokens(amount), 0));
    expect(waits).toEqual([143, 286, 429, 1_000]);
    for (const [i, amount] of [1, 2, 3, 7].entries()) {
      expect(7 - quota.tracker.used(0) + quota.tracker.releasedBy(waits[i]!, 0)).toBeGreaterThanOrEqual(amount);
    }
  });
});
