// A store behind a bad network, as one process sees it.
import type { StoreContract } from "../../../src/api/store.ts";
import type { MockClock } from "../../../src/index.ts";
import type { ProcessClock } from "./process-clock.ts";

/** What happens to one exchange. Delays in ms; Infinity: never. */
export interface Fault {
  readonly requestMs: number;
  readonly answerMs: number;
  /** True if the exchange is executed once more, later. */
  readonly isRepeated: boolean;
  /** True if the process gets an error, whether the exchange is executed or not. */
  readonly isRejected: boolean;
}

export const NO_FAULT: Fault = { requestMs: 0, answerMs: 0, isRepeated: false, isRejected: false };

/** Passes messages on with delays and losses. */
export class FaultyStore implements StoreContract {
  readonly timeoutMs = 500;
  readonly #engine: StoreContract;
  readonly #world: MockClock;
  readonly #process: ProcessClock;
  readonly #nextFault: () => Fault;

  constructor(engine: StoreContract, world: MockClock, process: ProcessClock, nextFault: () => Fault) {
    this.#engine = engine;
    this.#world = world;
    this.#process = process;
    this.#nextFault = nextFault;
  }

  readonly exchange: StoreContract["exchange"] = (group, sent) => {
    const { requestMs, answerMs, isRepeated, isRejected } = this.#nextFault();
    // The caller may reuse its objects.
    const message = structuredClone(sent);
    return new Promise((resolve, reject) => {
      this.#after(requestMs, () => {
        if (isRepeated) this.#after(requestMs + 50, () => void this.#engine.exchange(group, message));
        this.#engine.exchange(group, message).then(
          (answer) =>
            this.#after(answerMs, () =>
              this.#process.run(() => (isRejected ? reject(new Error("cut")) : resolve(answer))),
            ),
          (error) => this.#after(answerMs, () => this.#process.run(() => reject(error))),
        );
      });
    });
  };

  #after(ms: number, act: () => void): void {
    if (ms === 0) act();
    else if (ms < Infinity) this.#world.wakeAt(this.#world.now() + ms, act);
  }
}
