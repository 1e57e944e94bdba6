import type { MapProgress } from "../api/attempt.ts";

/** Counts the items of one batch. It has no clock: callers pass the instants (ms). */
export class BatchProgress {
  readonly #total: number | null;
  #startedAt = NaN;
  #pulled = 0;
  #running = 0;
  #completed = 0;
  #failed = 0;

  /** `items` is the source of the batch. */
  constructor(items: unknown) {
    this.#total = Array.isArray(items)
      ? items.length
      : items instanceof Map || items instanceof Set
        ? items.size
        : null;
  }

  started(now: number): void {
    this.#startedAt = now;
  }

  pulled(): void {
    this.#pulled++;
  }

  taskBegan(): void {
    this.#running++;
  }

  taskEnded(): void {
    this.#running--;
  }

  /** `null`: the item was dropped. */
  ended(isServed: boolean | null): void {
    if (isServed === null) this.#pulled--;
    else if (isServed) this.#completed++;
    else this.#failed++;
  }

  at(now: number): MapProgress {
    const ended = this.#completed + this.#failed;
    const elapsedMs = now - this.#startedAt;
    const perMs = ended > 0 && elapsedMs > 0 ? ended / elapsedMs : null;
    return {
      total: this.#total,
      completed: this.#completed,
      failed: this.#failed,
      inFlight: this.#running,
      waiting: this.#pulled - ended - this.#running,
      perSecond: perMs && perMs * 1_000,
      etaMs: perMs === null || this.#total === null ? null : Math.max(0, this.#total - ended) / perMs,
    };
  }
}
