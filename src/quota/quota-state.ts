/**
 * The numbers of one quota that every call reads or writes, side by side: a typed array keeps them as they are, where
 * fields and the answers of calls would each put a double into a box of its own. Its tracker writes the first four, its
 * burn meter the others.
 */
export type QuotaState = Float64Array;

/** What its tracker counts, as of `STEADY_UNTIL`: whole. */
export const USED = 0;
/** Before this instant time alone changes nothing of `USED`; one that has passed: ask the tracker. */
export const STEADY_UNTIL = 1;
/** The latest instant that the tracker was told. */
export const LATEST = 2;
/** Where a tracker keeps entries: when the newest was opened. */
export const OPENED_AT = 3;
/** The rates of its burn, per second, as of `RATED_AT`. */
export const FAST_RATE = 4;
export const SLOW_RATE = 5;
export const RATED_AT = 6;
/** At least the burn at every instant until the next amount. */
export const MOST_BURN = 7;
// One cache line, and what the engine keeps without a buffer of its own.
const LENGTH = 8;

/** Of a quota that nothing was counted in. */
export function newQuotaState(): QuotaState {
  const state = new Float64Array(LENGTH);
  state[STEADY_UNTIL] = Infinity;
  state[LATEST] = -Infinity;
  state[OPENED_AT] = -Infinity;
  return state;
}
