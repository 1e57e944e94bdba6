import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SlidingWindow } from "../../../src/quota/sliding-window.ts";
import { withSeed } from "../../support/seeded-random.ts";

// A ring of merged entries: bounded memory that grows only with usage. The tracker contract and
// property/sliding-window-count.test.ts check the amounts that it counts.

// An entry covers at most 0.2 % of the window, so 500 entries are the minimum; a ring has at most a few more.
const MOST_ENTRIES = 520;

describe("the entries of a sliding window", () => {
  it.each([
    [1_000_000, 1],
    [1_000_000, 0.5],
    [100_000, 20],
    [1_000, 3_000],
  ])("a window keeps few entries over %d uses within each of %d windows", (perWindow, windows) => {
    const windowMs = 60_000;
    const tracker = new SlidingWindow(100, windowMs);
    const uses = Math.ceil(perWindow * windows);
    let most = 0;
    for (let i = 0; i < uses; i++) {
      tracker.record(1, (i * windowMs) / perWindow);
      most = Math.max(most, tracker.entries);
    }
    expect(most).toBeLessThanOrEqual(MOST_ENTRIES);
    expect(most).toBeGreaterThan(perWindow * windows < 500 ? 0 : 250 * Math.min(1, windows));
  });

  it("a window keeps few entries over a million random uses, whatever the gaps", () => {
    withSeed((random) => {
      const windowMs = 1_000;
      const tracker = new SlidingWindow(100, windowMs);
      let now = 0;
      let most = 0;
      for (let i = 0; i < 1_000_000; i++) {
        // Dense amounts, or amounts just far enough apart for an entry each.
        now += random() < 0.5 ? random() * 0.01 : windowMs / 512;
        tracker.record(Math.ceil(random() * 3), now);
        most = Math.max(most, tracker.entries);
      }
      expect(most).toBeLessThanOrEqual(MOST_ENTRIES);
    });
  });

  it("a window never keeps more entries than amounts of the last window, and none after it", () => {
    const gaps = fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 100 });
    fc.assert(
      fc.property(gaps, (script) => {
        const tracker = new SlidingWindow(100, 1_000);
        const at: number[] = [];
        let now = 0;
        for (const gap of script) {
          now += gap;
          tracker.record(1, now);
          at.push(now);
          expect(tracker.entries).toBeLessThanOrEqual(at.filter((use) => use > now - 1_000).length);
        }
        tracker.record(0, now + 1_002);
        expect(tracker.used(now + 1_002)).toBe(0);
        expect(tracker.entries).toBe(0);
      }),
    );
  });

  it("amounts above the exact range of a double are not lost, and nothing remains afterwards", () => {
    const tracker = new SlidingWindow(100, 1_000);
    tracker.record(7, 0);
    for (let i = 0; i < 400; i++) tracker.record(Number.MAX_SAFE_INTEGER, 300 + i);
    tracker.record(5, 900);
    expect(tracker.used(900)).toBeGreaterThan(Number.MAX_SAFE_INTEGER);
    expect(tracker.used(1_702)).toBe(5);
    expect(tracker.used(1_902)).toBe(0);
  });
});
