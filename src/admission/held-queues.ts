// Queues of waiters that the limits of their keys hold back.
//
//   held until:  one of these limits changes, or releases enough, or the first waiter of the queue leaves it
//
// Regimes: passes leave held queues out, so that tenants that are over their limits cost the others no time. A held queue
// claims the limits that it lacks: later calls of its key, of the same or a lower priority, cannot take them.

import { type Due, TimerHeap } from "../clock/timer-heap.ts";
import type { KeyHolder, KeyQuotas } from "../provider/key-limits.ts";
import type { Demand } from "../quota/usage-vector.ts";
import type { KeyQueue } from "./waiter.ts";

class HeldQueue implements Due, KeyHolder {
  readonly dueAt: number;
  readonly order: number;
  place = -1;
  readonly priority: number;
  readonly free: () => void;

  constructor(queue: KeyQueue, until: number, free: () => void) {
    this.priority = queue.lane.priority;
    this.order = queue.first!.order;
    this.dueAt = until;
    this.free = free;
  }
}

/** The held queues of one limiter. */
export class HeldQueues {
  readonly #byTime = new TimerHeap<HeldQueue>();
  readonly #held = new Map<KeyQueue, () => void>();
  readonly #onFreed: () => void;

  /** `onFreed` is called when a queue must be evaluated. */
  constructor(onFreed: () => void) {
    this.#onFreed = onFreed;
  }

  /** Instant at which the first one is freed, if nothing else happens. `nextDueAt`: when the next lease changes by itself. */
  nextAt(nextDueAt: number): number {
    const isUntimed = this.#byTime.size < this.#held.size;
    return Math.min(this.#byTime.first?.dueAt ?? Infinity, isUntimed ? nextDueAt : Infinity);
  }

  has(queue: KeyQueue): boolean {
    return this.#held.has(queue);
  }

  /** Holds a queue. Its first waiter lacks the limits of its key for all of these demands. */
  hold(queue: KeyQueue, keyQuotas: KeyQuotas, demands: readonly Demand[], until: number, now: number): void {
    const held = new HeldQueue(queue, until, () => {
      this.#byTime.remove(held);
      this.#held.delete(queue);
      keyQuotas.removeHolder(held);
      queue.cursor = queue.first;
      queue.update();
      this.#onFreed();
    });
    keyQuotas.addHolder(held, demands, now);
    if (until < Infinity) this.#byTime.put(held);
    this.#held.set(queue, held.free);
    queue.cursor = null;
    queue.update();
  }

  /** Lets the next pass evaluate the queue; no effect on one that is not held. */
  free(queue: KeyQueue): void {
    this.#held.get(queue)?.();
  }

  freeDue(now: number): void {
    for (let { first } = this.#byTime; first !== undefined && first.dueAt <= now; first = this.#byTime.first) {
      first.free();
    }
  }

  freeAll(): void {
    for (const free of [...this.#held.values()]) free();
  }
}
