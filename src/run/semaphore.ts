import { Queue } from "./queue.ts";

/** Counting semaphore, first come, first served. */
export class Semaphore {
  #free: number;
  readonly #waiting = new Queue<() => void>();

  /** `permits`: how many callers can hold one simultaneously. */
  constructor(permits: number) {
    this.#free = permits;
  }

  /**
   * Takes a permit as soon as one is free. Resolves to true with the permit, to false if the caller gave up before.
   * `watch` is called only if the caller must wait: it gets the function that gives up and returns its own cancel.
   */
  async acquire(watch?: (giveUp: () => void) => (() => void) | undefined): Promise<boolean> {
    if (this.#free > 0) {
      this.#free--;
      return true;
    }
    return new Promise((resolve) => {
      const node = this.#waiting.push(() => {
        unwatch?.();
        resolve(true);
      });
      const unwatch = watch?.(() => {
        this.#waiting.remove(node);
        resolve(false);
      });
    });
  }

  /** Passes the permit to the first caller that waits. */
  release(): void {
    const grant = this.#waiting.shift();
    if (grant === undefined) this.#free++;
    else grant();
  }
}
