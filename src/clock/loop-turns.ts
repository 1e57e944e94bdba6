import { type Macrotasks, openMacrotasks } from "./macrotasks.ts";
import { runtime } from "./real-clock.ts";

/** Longest time (ms) without a turn of the event loop. */
const LONGEST_MS = 5;

/** Lets a loop of resolved promises leave time to everything else in the process. */
export class LoopTurns {
  readonly #macrotasks: Macrotasks = openMacrotasks();
  #next: Promise<void> | null = null;
  #since = 0;

  /** Resolves with the next turn of the event loop. Null: the last turn is not long ago. */
  wait(): Promise<void> | null {
    const now = runtime.performance.now();
    if (this.#next !== null) return now - this.#since > LONGEST_MS ? this.#next : null;
    this.#since = now;
    this.#next = this.#macrotasks.next().then(() => {
      this.#next = null;
    });
    return null;
  }

  close(): void {
    this.#macrotasks.close();
  }
}
