// What a quota asks of those who hold some of it: as little as it can, for a refusal must cost no more when ten thousand
// requests are under way.
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

/** Holds one until an instant, and counts how often it was asked. */
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

describe("those who hold some of a quota", () => {
  it("are not asked where what was counted long ago makes the room", () => {
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

  it("are forgotten when they have left, in whatever order", () => {
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
    // All of it: the one that stays is counted at 5, and gone a window later.
    expect(quota.waitMs(LIMIT, 0, 0, true)).toBe(WINDOW_MS + 5);
    expect(CountingHolder.asked).toBeLessThan(10);
  });

  it("are asked in order of instant, whoever came first", () => {
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
