// When a process exchanges messages with the store, per group.
//
//   a call lacks allowance             immediately, unless the store has said "nothing before t"
//   spare < ahead / 2                  immediately, in the background;  ahead = rate x aheadMs
//   usage or places to send            within min(shortest window / 20, 1 s)
//   places are scarce                  immediately, if the process holds more than limit / processes
//   something is held, or waited for,
//   or was used within a window        every TTL / 4
//   otherwise                          never: it says goodbye
//
// Regimes: if the store grants less than was asked for ahead, the next request ahead of need waits for the time in which usage
// is sent. While the store is down, it is tried again after 50 to 100 ms, and each time after twice as long, up to 2 s.

const LONGEST_DELAY_MS = 1_000;
const WINDOW_SHARE = 20;
const FIRST_RETRY_MS = 50;
const LONGEST_RETRY_MS = 2_000;
const PER_TTL = 4;

/** Longest delay (ms) of usage; `windowMs`: the shortest window of the group, Infinity: it has none. */
export function usageDelayMs(windowMs: number): number {
  return Math.min(windowMs / WINDOW_SHARE, LONGEST_DELAY_MS);
}

/** Time (ms) between two signs of life. */
export function heartbeatMs(ttlMs: number): number {
  return ttlMs / PER_TTL;
}

/** Time (ms) after which the store is tried again. `failures`: in a row, from 1. `random`: uniform in [0, 1). */
export function retryMs(failures: number, random: number): number {
  return Math.min(FIRST_RETRY_MS * 2 ** (failures - 1) * (1 + random), LONGEST_RETRY_MS);
}
