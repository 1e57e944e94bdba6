import type { MapProgress } from "../api/attempt.ts";

/** Counts the items of one batch. It has no clock: callers pass the instants (ms). */
export class BatchProgress {
  #stopped: MapProgress["stopped"];
  readonly #total: number | null;
  #startedAt = NaN;
  #pulled = 0;
  /** Items of which tasks run, with the number of those: a task can go on after its attempt has timed out. */
  readonly #running = new Map<object, number>();
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

  /** No more items are pulled. The first reason counts. */
  stopped(why: "signal" | "budget"): void {
    this.#stopped ??= why;
  }

  started(now: number): void {
    this.#startedAt = now;
  }

  pulled(): void {
    this.#pulled++;
  }

  get hasTasks(): boolean {
    return this.#running.size > 0;
  }

  taskBegan(item: object): void {
    this.#running.set(item, (this.#running.get(item) ?? 0) + 1);
  }

  taskEnded(item: object): void {
    const tasks = this.#running.get(item);
    // A task that goes on after the end of its item does not count.
    if (tasks === undefined) return;
    if (tasks === 1) this.#running.delete(item);
    else this.#running.set(item, tasks - 1);
  }

  itemEnded(item: object): void {
    this.#running.delete(item);
  }

  /** Counts an item that has ended. `null`: it was dropped. */
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
      ...(this.#stopped !== undefined && { stopped: this.#stopped }),
      total: this.#total,
      completed: this.#completed,
      failed: this.#failed,
      inFlight: this.#running.size,
      waiting: this.#pulled - ended - this.#running.size,
      perSecond: perMs && perMs * 1_000,
      etaMs:
        perMs === null || this.#total === null || this.#stopped !== undefined
          ? null
          : Math.max(0, this.#total - ended) / perMs,
    };
  }
}
