import { Semaphore } from "./semaphore.ts";

// First attempts that wait for capacity simultaneously. One is enough if all items have the same needs, because the wait
// queue is first come, first served. Otherwise an item that must wait would delay items that need not.
const WAITING_ALIKE = 1;
const WAITING_DIFFERENT = 32;

/** What the items of one `map` share: turns in the wait queue, and the time for which they wait for places. */
export class MapTurns {
  /** For first attempts. */
  readonly first: Semaphore;
  /** For retries: different providers have failed their items, and the one with the fewest failures gets a trial. */
  readonly later: Semaphore;
  readonly startedAt: number;
  /** Longest time (ms) in which no place is freed. */
  readonly stuckAfterMs: number;

  constructor(areAlike: boolean, maxWaiting: number, startedAt: number, stuckAfterMs: number) {
    const most = Math.max(1, Math.min(WAITING_DIFFERENT, maxWaiting >> 2));
    this.first = new Semaphore(areAlike ? WAITING_ALIKE : most);
    this.later = new Semaphore(most);
    this.startedAt = startedAt;
    this.stuckAfterMs = stuckAfterMs;
  }
}
