import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RunningMinimum } from "../../../src/quota/running-minimum.ts";
import { TokenBucket } from "../../../src/quota/token-bucket.ts";
import { propertyRuns } from "../../support/test-effort.ts";

const step = fc.oneof(
  fc.record({ do: fc.constant("record" as const), amount: fc.integer({ min: 1, max: 90 }) }),
  fc.record({ do: fc.constant("wait" as const), ms: fc.integer({ min: 0, max: 4_000 }) }),
  fc.record({ do: fc.constant("correct" as const), which: fc.nat(20), share: fc.integer({ min: 0, max: 100 }) }),
);

/** Returns the usage of a bucket of 100 a minute that knew all corrected amounts from the beginning. */
function usedBy(uses: readonly { at: number; amount: number }[], now: number): number {
  let debt = 0;
  let at = 0;
  for (const use of [...uses, { at: now, amount: 0 }]) {
    debt = Math.max(0, debt - (use.at - at) * 100) + use.amount * 60_000;
    at = use.at;
  }
  return Math.ceil(debt / 60_000);
}

describe("a bucket with corrected amounts", () => {
  it.each([40, 400])("after any %s steps a bucket counts as if it had known the corrected amounts", (maxLength) => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 10, maxLength, size: "max" }), (steps) => {
        const bucket = new TokenBucket(100, 60_000, 1e6);
        const uses: { at: number; amount: number }[] = [];
        let now = 0;
        for (const each of steps) {
          if (each.do === "wait") now += each.ms;
          else if (each.do === "record") {
            bucket.record(each.amount, now);
            uses.push({ at: now, amount: each.amount });
          } else {
            const use = uses.at(-1 - each.which);
            if (use === undefined) continue;
            const back = Math.floor((use.amount * each.share) / 100);
            use.amount -= back;
            bucket.amend(-back, use.at, now);
          }
          expect(bucket.used(now)).toBe(usedBy(uses, now));
        }
      }),
      { numRuns: propertyRuns(300) },
    );
  });

  it("a correction never returns an amount that was already refilled", () => {
    const bucket = new TokenBucket(60, 60_000, 100);
    bucket.record(20, 0);
    // The amount is refilled, so a correction makes no difference any more.
    bucket.record(100, 30_000);
    bucket.amend(-19, 0, 30_000);
    expect(bucket.used(30_000)).toBe(100);
    bucket.amend(-60, 30_000, 31_000);
    expect(bucket.used(31_000)).toBe(39);
  });
});

describe("the running minimum", () => {
  it("the running minimum is never too high, and keeps few entries however many values rise", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 200, maxLength: 600, size: "max" }),
        (rises) => {
          const lows = new RunningMinimum();
          const noted: number[] = [];
          let value = 0;
          for (const rise of rises) {
            value += rise;
            lows.note(noted.length, value);
            noted.push(value);
            const stamp = Math.floor(noted.length / 3);
            const least = Math.min(Number.POSITIVE_INFINITY, ...noted.slice(stamp + 1));
            expect(lows.since(stamp)).toBeLessThanOrEqual(least);
          }
          // The latest entries are all kept.
          expect(lows.since(noted.length - 2)).toBe(value);
        },
      ),
      { numRuns: propertyRuns(30) },
    );
  });
});
