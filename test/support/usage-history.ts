// Random histories of a quota: amounts of all sizes at instants that are difficult for trackers.
import * as fc from "fast-check";

/** An amount that was recorded at an instant (ms). */
export interface Use {
  readonly at: number;
  readonly amount: number;
}

/** The events of a tracker before it is checked. */
export interface Plan {
  readonly capacity: number;
  readonly windowMs: number;
  readonly startMs: number;
  readonly uses: readonly Use[];
  /** Instant of the read, at or after the last use. */
  readonly now: number;
}

// Instants are multiples of 2^-10 ms, as those of the real clock, so sums of them are exact.
const TICKS_PER_MS = 1_024;
/** Rounds to the nearest instant that a sum of instants can represent. */
export const exact = (ms: number): number => Math.round(ms * TICKS_PER_MS) / TICKS_PER_MS;

export const share = (max: number): fc.Arbitrary<number> => fc.double({ min: 0, max, noNaN: true });
/**
 * Gaps as shares of a window: bursts, denser than any resolution, sparse, exactly a window and a tick more or less,
 * years.
 */
export const gap = fc.oneof(
  { weight: 4, arbitrary: share(0.003) },
  { weight: 4, arbitrary: share(0.4) },
  { weight: 3, arbitrary: fc.constantFrom(0, 0, 1 / 512, 0.5, 1, 1 - 2 ** -20, 1 + 2 ** -20) },
  { weight: 1, arbitrary: fc.constantFrom(2, 7.5, 4_000) },
);
const someCapacity = fc.oneof(fc.integer({ min: 1, max: 60 }), fc.constantFrom(0, 1, 1_000, 1e10));
const usual = fc.oneof(fc.integer({ min: 0, max: 12 }), fc.constantFrom(1, 1, 0, -0));

/** A history with small amounts, and sometimes with these `shares` of the capacity. */
export function plans(windowsMs: readonly number[], shares: readonly number[] = [0.5, 1, 1.5, 3]): fc.Arbitrary<Plan> {
  const amount = fc.oneof(
    { weight: 5, arbitrary: usual.map((small) => () => small) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(...shares).map((part) => (capacity: number) => Math.ceil(capacity * part)),
    },
  );
  return fc
    .record({
      capacity: someCapacity,
      windowMs: fc.constantFrom(...windowsMs),
      startMs: fc.constantFrom(0, 0.5, 1e6, 1.7e12),
      steps: fc.array(fc.record({ gap, amount }), { minLength: 1, maxLength: 25 }),
      rest: gap,
    })
    .map(({ capacity, windowMs, startMs, steps, rest }) => {
      let now = startMs;
      const uses = steps.map((step) => {
        now += exact(step.gap * windowMs);
        return { at: now, amount: step.amount(capacity) };
      });
      return { capacity, windowMs, startMs, uses, now: now + exact(rest * windowMs) };
    });
}
