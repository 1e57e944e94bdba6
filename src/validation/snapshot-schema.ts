import { allowed, listOf, nullOr, objectOf, recordOf, trueOrFalse } from "./check.ts";
import type { Check } from "./problems.ts";

// Numbers beyond the largest exact integer might make sums of Infinity - Infinity.
const amount = allowed(
  "a number from 0 to 2^53 - 1",
  (value) => typeof value === "number" && value >= 0 && value <= Number.MAX_SAFE_INTEGER,
);
// Squares of amounts. Bounded, so that products of it with prices stay finite.
const variance = allowed(
  "a number from 0 to 1e32",
  (value) => typeof value === "number" && value >= 0 && value <= 1e32,
);
const text = allowed("a string", (value) => typeof value === "string");
const amounts = listOf(amount);
const amountsOrNulls = listOf(nullOr(amount));

const quota = {
  ...{ key: text, kind: text, windowMs: nullOr(amount), used: amount, open: amount },
  ...{ usage: amounts, burn: amounts, reported: nullOr(amountsOrNulls) },
};
const health = {
  ...{ score: amount, scoreMs: amount, latencyMs: nullOr(amount), streaks: amounts, since: amountsOrNulls },
  ...{ cooldown: nullOr(amounts), statedMs: nullOr(amount), dead: nullOr(amountsOrNulls), successes: amounts },
};
const mean = listOf(variance);
const size = { tokens: mean, output: mean, variance, hasUnreported: trueOrFalse };
const provider = { health: allOf(health), ramp: nullOr(amountsOrNulls), quotas: listOf(allOf(quota)) };

/** Check of the option `snapshot`. */
export const snapshot: Check = nullOr(
  objectOf(
    {
      version: allowed("1, the version of this package's snapshots", (value) => value === 1),
      savedAt: allowed("a number or null", (value) => value === null || typeof value === "number"),
      providers: recordOf(allOf(provider)),
      pools: recordOf(listOf(allOf(quota))),
      sizes: recordOf(recordOf(allOf(size))),
    },
    ...["version", "providers", "pools", "sizes"],
  ),
);

/** Accepts objects with exactly these keys. */
function allOf(shape: { readonly [key: string]: Check }): Check {
  return objectOf(shape, ...Object.keys(shape));
}
