/** Counting semaphore: lower order first, first come, first served within one order. */
export class Semaphore {
  #free: number;
  readonly #waiting: { readonly order: number; grant(): void }[] = [];

  /** `permits`: how many callers can hold one simultaneously. */
  constructor(permits: number) {
    this.#free = permits;
  }

  /**
   * Takes a permit as soon as one is free. Resolves to true with the permit, to false if the caller gave up before.
   * `watch` is called only if the caller must wait: it gets the function that gives up and returns its own cancel.
   */
  async acquire(watch?: (giveUp: () => void) => (() => void) | undefined, order: number = Infinity): Promise<boolean> {
    if (this.#free > 0) {
      this.#free--;
      return true;
    }
    return new Promise((resolve) => {
      const waiting = this.#waiting;
      const own = {
        order,
        grant: () => {
          unwatch?.();
          resolve(true);
        },
      };
      let place = waiting.length;
      while (place > 0 && waiting[place - 1]!.order > order) place--;
      waiting.splice(place, 0, own);
      const unwatch = watch?.(() => {
        waiting.splice(waiting.indexOf(own), 1);
        resolve(false);
      });
    });
  }

  /** Passes the permit to the first caller that waits. */
  release(): void {
    const first = this.#waiting.shift();
    if (first === undefined) this.#free++;
    else first.grant();
  }
}
