// The clock of one simulated process: it has an origin of its own, and stands still for the process while it is stopped.
import type { Clock, MockClock } from "../../../src/index.ts";

/** Clock of a process that can be stopped, as by SIGSTOP, and killed. Time goes on while it is stopped. */
export class ProcessClock implements Clock {
  readonly #world: MockClock;
  readonly #ahead: number;
  #isStopped = false;
  isKilled = false;
  #deferred: (() => void)[] = [];

  constructor(world: MockClock, aheadMs: number) {
    this.#world = world;
    this.#ahead = aheadMs;
  }

  now(): number {
    return this.#world.now() + this.#ahead;
  }

  epochNow(): number {
    return this.#world.now() + this.#ahead;
  }

  wakeAt(atMs: number, wake: () => void): () => void {
    let isCancelled = false;
    const cancel = this.#world.wakeAt(atMs - this.#ahead, () => this.run(() => !isCancelled && wake()));
    return () => {
      isCancelled = true;
      cancel();
    };
  }

  /** Runs something in the process: now, when it goes on, or never. */
  run(act: () => void): void {
    if (this.isKilled) return;
    if (this.#isStopped) this.#deferred.push(act);
    else act();
  }

  stop(): void {
    this.#isStopped = true;
  }

  continue(): void {
    this.#isStopped = false;
    for (const act of this.#deferred.splice(0)) this.run(act);
  }
}
