// The limits of the test servers against definitions that are slower and simpler. A count of zero 429s proves only as
// much as these limits are correct.
import { describe, expect, it } from "vitest";
import { fixedWindow, slidingLog, type TrueLimit, tokenBucket } from "../../support/http/server-limits.ts";
import { seededRandom } from "../../support/seeded-random.ts";

interface Accepted {
  readonly tick: number;
  readonly amount: number;
}

/** True if one more request would be within the limit, given all accepted requests. */
type Definition = (accepted: readonly Accepted[], amount: number, tick: number) => boolean;

const LIMIT = 50;
const WINDOW = 1_000;
const PHASE = 137;

const sum = (amounts: readonly Accepted[]) => amounts.reduce((total, { amount }) => total + amount, 0);
const windowOf = (tick: number) => Math.floor((tick - PHASE) / WINDOW);

const kinds: { name: string; limit: () => TrueLimit; isAllowed: Definition }[] = [
  {
    name: "a fixed window holds the limit between resets",
    limit: () => fixedWindow(LIMIT, WINDOW, PHASE),
    isAllowed: (accepted, amount, tick) =>
      sum(accepted.filter((one) => windowOf(one.tick) === windowOf(tick))) + amount <= LIMIT,
  },
  {
    name: "a sliding log holds the limit in the last window",
    limit: () => slidingLog(LIMIT, WINDOW),
    isAllowed: (accepted, amount, tick) => sum(accepted.filter((one) => one.tick > tick - WINDOW)) + amount <= LIMIT,
  },
  {
    // N(s, t] <= capacity + rate x (t - s) for every s is the limit of a bucket that starts full.
    name: "a token bucket holds capacity plus refill in every stretch",
    limit: () => tokenBucket(LIMIT, WINDOW),
    isAllowed: (accepted, amount, tick) =>
      [...accepted, { tick, amount: 0 }].every(
        ({ tick: from }) =>
          (sum(accepted.filter((one) => one.tick >= from)) + amount) * WINDOW <= LIMIT * WINDOW + LIMIT * (tick - from),
      ),
  },
];

describe("the limit of a server", () => {
  it.each(kinds)("the limit equals its definition: $name", ({ limit, isAllowed }) => {
    let accepts = 0;
    let refusals = 0;
    for (let seed = 1; seed <= 8; seed++) {
      const random = seededRandom(seed);
      const enforced = limit();
      const accepted: Accepted[] = [];
      let tick = 0;
      for (let i = 0; i < 300; i++) {
        // Bursts, even load, and gaps exactly at the edge of a window.
        const gaps = [0, 0, Math.floor(random() * 10), 20, Math.floor(random() * 300), WINDOW, WINDOW - 1];
        tick += gaps[Math.floor(random() * gaps.length)]!;
        const amount = Math.ceil(random() * 12);
        const fits = enforced.fits(amount, tick);
        expect(fits).toBe(isAllowed(accepted, amount, tick));
        if (fits) {
          enforced.count(amount, tick);
          accepted.push({ tick, amount });
          accepts++;
        } else refusals++;
      }
    }
    expect(Math.min(accepts, refusals)).toBeGreaterThan(50);
  });
});
