// A quota reads as few of its reservations as possible, because a refusal must not cost more with ten thousand requests
// in flight.
import { describe, expect, it } from "vitest";
import { BurnRate } from "../../../src/quota/burn-rate.ts";
import { Quota } from "../../../src/quota/quota.ts";
import { quotaSpecs } from "../../../src/quota/quota-spec.ts";
import type { Holder } from "../../../src/quota/reservations.ts";
import { SlidingWindow } from "../../../src/quota/sliding-window.ts";

const LIMIT = 20_000;
const WINDOW_MS = 60_000;

function quotaOf(limit: number): Quota {
  const [spec] = quotaSpecs(undefined, [{ dimension: "requests", limit, window: "minute" }], null);
  return new Quota(spec!, null, new SlidingWindow(limit, WINDOW_MS), new BurnRate());
}

/** A reservation that ends at an instant and counts its reads. */
class CountingHolder implements Holder {
  static asked = 0;
  isHolding = true;
  readonly at: number;

  constructor(at: number) {
    this.at = at;
  }

  holds(): boolean {
    return this.isHolding;
  }

  pendingOn(): { at: number; amount: number } | null {
    CountingHolder.asked++;
    return this.isHolding ? { at: this.at, amount: 1 } : null;
  }

  openOn(): number {
    return this.mostBack();
  }

  mostBack(): number {
    return this.isHolding ? 1 : 0;
  }

  get countsFrom(): number {
    return this.at;
  }
}

describe("the reservations of a quota", () => {
  it("reservations are not read if usage from before them frees the capacity", () => {
    const quota = quotaOf(LIMIT);
    for (let i = 0; i < LIMIT / 2; i++) quota.record(1, i);
    const holders = Array.from({ length: LIMIT / 2 }, (_, i) => new CountingHolder(LIMIT + i));
    for (const holder of holders) {
      quota.hold(1, LIMIT / 2);
      quota.holders.join(holder);
    }
    CountingHolder.asked = 0;
    // The first entry of the window, which is full.
    expect(quota.waitMs(1, 0, LIMIT / 2, true)).toBe(WINDOW_MS - LIMIT / 2 + 117);
    expect(CountingHolder.asked).toBe(0);
  });

  it("reservations can leave in any order and are not read afterwards", () => {
    const quota = quotaOf(LIMIT);
    const stays = new CountingHolder(5);
    quota.holders.join(stays);
    quota.hold(1, 0);
    for (let i = 0; i < 10_000; i++) {
      const [first, second] = [new CountingHolder(i), new CountingHolder(i)];
      quota.holders.join(first);
      quota.holders.join(second);
      for (const holder of i % 2 === 0 ? [first, second] : [second, first]) {
        holder.isHolding = false;
        quota.holders.leave(holder);
      }
    }
    CountingHolder.asked = 0;
    // The whole limit: the remaining reservation starts to count at 5 and is gone a window later.
    expect(quota.waitMs(LIMIT, 0, 0, true)).toBe(WINDOW_MS + 5);
    expect(CountingHolder.asked).toBeLessThan(10);
  });

  it("reservations are read in the order of their instants, whatever the order of arrival", () => {
    const quota = quotaOf(3);
    for (const at of [900, 300, 600]) {
      quota.hold(1, 0);
      quota.holders.join(new CountingHolder(at));
    }
    expect([1, 2, 3].map((amount) => quota.waitMs(amount, 0, 0, true))).toEqual(
      [300, 600, 900].map((at) => at + WINDOW_MS),
    );
  });
});
