import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RobustMean } from "../../../src/provider/robust-mean.ts";
import { propertyRuns } from "../../support/test-effort.ts";

function meanOf(amounts: readonly number[], everyMs = 1_000): { mean: RobustMean; now: number } {
  const mean = new RobustMean();
  let now = 0;
  for (const amount of amounts) {
    mean.add(amount, now);
    now += everyMs;
  }
  return { mean, now };
}

const amounts = fc.array(fc.integer({ min: 100, max: 500 }), { minLength: 2, maxLength: 400 });

describe("the mean of reported amounts", () => {
  it("without outliers and without a limit of memory, it is the plain mean", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 100, max: 500 }), { minLength: 1, maxLength: 100 }), (all) => {
        const plain = all.reduce((sum, amount) => sum + amount, 0) / all.length;
        // At the same instant nothing is forgotten.
        expect(meanOf(all, 0).mean.value).toBeCloseTo(plain, 6);
      }),
      { numRuns: propertyRuns(400) },
    );
  });

  it("one amount of any size, at any place, at most multiplies it by 6", () => {
    fc.assert(
      fc.property(
        amounts,
        fc.nat(400),
        fc.double({ min: 1e3, max: Number.MAX_SAFE_INTEGER, noNaN: true }),
        (all, place, outlier) => {
          const at = place % (all.length + 1);
          const { mean } = meanOf([...all.slice(0, at), outlier, ...all.slice(at)]);
          expect(mean.value).toBeLessThan(6 * 500);
          expect(mean.value).toBeGreaterThan(50);
        },
      ),
      { numRuns: propertyRuns(400) },
    );
  });

  it("200 samples of a lasting change count for more than 40 %, whatever its size", () => {
    for (const factor of [0.01, 0.1, 2, 10, 100]) {
      const { mean } = meanOf([...Array(300).fill(1_000), ...Array(200).fill(1_000 * factor)]);
      const learned = (mean.value - 1_000) / (1_000 * factor - 1_000);
      expect(learned, `factor ${factor}`).toBeGreaterThan(0.4);
    }
  });

  it("what was learned is forgotten with time, down to the weight of ten samples", () => {
    const { mean, now } = meanOf(Array(300).fill(1_000), 0);
    mean.add(100, now + 600_000);
    expect(mean.samples).toBeCloseTo(151, 6);
    mean.add(100, now + 1e9);
    expect(mean.samples).toBe(11);
  });
});
