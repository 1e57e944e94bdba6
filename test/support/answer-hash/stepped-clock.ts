import { MockClock } from "../../../src/index.ts";

/** Lets all promises run, with no real time: by the next turn of the event loop, chains of any length have settled. */
export function promisesSettled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/**
 * A MockClock that stops at each wake-up, so that promises can run there. Answers then do not depend on the number of
 * microtasks that the engine takes. `advanceMsAsync` does the same, but takes a millisecond of real time for each.
 */
export class SteppedClock extends MockClock {
  readonly #wakeUps = new Set<{ readonly atMs: number }>();

  override wakeAt(atMs: number, wake: () => void): () => void {
    const wakeUp = { atMs };
    this.#wakeUps.add(wakeUp);
    const cancel = super.wakeAt(atMs, () => {
      this.#wakeUps.delete(wakeUp);
      wake();
    });
    return () => {
      this.#wakeUps.delete(wakeUp);
      cancel();
    };
  }

  /** Moves forward; `pause` is awaited after each wake-up. */
  async advance(ms: number, pause: () => Promise<void>): Promise<void> {
    const end = this.now() + ms;
    for (let next = this.#nextWakeAt(); next <= end; next = this.#nextWakeAt()) {
      this.set(Math.max(next, this.now()));
      await pause();
    }
    if (end > this.now()) this.set(end);
  }

  /** Resolves after `ms`, or rejects with the signal's reason. */
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = ms === Infinity ? () => {} : this.wakeAt(this.now() + ms, resolve);
      const abort = () => {
        cancel();
        reject(signal?.reason);
      };
      if (signal?.aborted) abort();
      else signal?.addEventListener("abort", abort);
    });
  }

  #nextWakeAt(): number {
    let next = Infinity;
    for (const { atMs } of this.#wakeUps) next = Math.min(next, atMs);
    return next;
  }
}
