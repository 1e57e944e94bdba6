import type { ActiveLease } from "../admission/active-lease.ts";
import { Semaphore } from "./semaphore.ts";

// First attempts that wait for capacity simultaneously. One is enough if all items have the same needs, because the wait
// queue is first come, first served. Otherwise an item that must wait would delay items that need not. A fairness key gets its
// share only if enough of its items wait.
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
  /** True if the batch itself has tasks that run, which will free their places. */
  readonly hasTasks: () => boolean;
  /** False if the budget of the batch does not admit the request, after which the batch stops. */
  readonly admits: (lease: ActiveLease) => boolean;
}

/** Turns of the fairness keys that `needs` returns, so that no item waits for a turn of another key. */
export class KeyTurns {
  readonly #create: () => MapTurns;
  /** Keys with items in progress. */
  readonly #keys = new Map<string, { readonly turns: MapTurns; items: number }>();

  constructor(create: () => MapTurns) {
    this.#create = create;
  }

  get isEmpty(): boolean {
    return this.#keys.size === 0;
  }

  /** Turns for an item of that key. `leave` must follow. */
  enter(key: string): MapTurns {
    const own = this.#keys.get(key) ?? { turns: this.#create(), items: 0 };
    own.items++;
    this.#keys.set(key, own);
    return own.turns;
  }

  leave(key: string): void {
    if (--this.#keys.get(key)!.items === 0) this.#keys.delete(key);
  }
}

/** Turns for items that have the same needs or not, in a wait queue for at most `maxWaiting`. */
export function mapTurns(areAlike: boolean, maxWaiting: number, terms: Omit<MapTurns, "first" | "later">): MapTurns {
  const most = Math.max(1, Math.min(WAITING_DIFFERENT, maxWaiting >> 2));
  const first = new Semaphore(areAlike ? WAITING_ALIKE : most);
  return { first, later: new Semaphore(most), ...terms };
}
