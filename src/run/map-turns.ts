import { Semaphore } from "./semaphore.ts";

// First attempts that wait for capacity simultaneously. One is enough if all items have the same needs, because the wait
// queue is first come, first served. Otherwise an item that must wait would delay items that need not.
const WAITING_ALIKE = 1;
const WAITING_DIFFERENT = 32;

/** State that the items of one `map` share. */
export interface MapTurns {
  /** Turns in the wait queue for first attempts. */
  readonly first: Semaphore;
  /** Those for retries. They differ: some providers have failed the item, and a trial goes to the item that failed least. */
  readonly later: Semaphore;
  readonly startedAt: number;
  /** Longest time (ms) for which items wait for places of which none is freed. */
  readonly stuckAfterMs: number;
}

/** Turns for items that have the same needs or not, in a wait queue for at most `maxWaiting`. */
export function mapTurns(areAlike: boolean, maxWaiting: number, startedAt: number, stuckAfterMs: number): MapTurns {
  const most = Math.max(1, Math.min(WAITING_DIFFERENT, maxWaiting >> 2));
  const first = new Semaphore(areAlike ? WAITING_ALIKE : most);
  return { first, later: new Semaphore(most), startedAt, stuckAfterMs };
}
