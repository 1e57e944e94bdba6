import { type WebSignal, web } from "./web.ts";

/** Signal of a request: aborts with its attempt until the headers arrive, and with the caller until the body has ended. */
export class RequestSignal {
  readonly signal: WebSignal;
  readonly #abort: ((reason: unknown) => void) | undefined;
  readonly #caller: WebSignal | undefined;

  constructor(attempt: WebSignal, caller: WebSignal | undefined) {
    this.#caller = caller;
    if (caller === undefined) {
      this.signal = attempt;
      return;
    }
    const controller = new web.AbortController();
    this.signal = controller.signal;
    this.#abort = (reason) => controller.abort(reason);
    const abort = () => controller.abort(attempt.reason);
    if (attempt.aborted) abort();
    else attempt.addEventListener("abort", abort);
  }

  /** Follows the caller from the headers on: calls `act`, then aborts the request. Returns the function that ends this. */
  follow(act: (reason: unknown) => void): () => void {
    const caller = this.#caller;
    if (caller === undefined) return () => {};
    const listener = () => {
      caller.removeEventListener("abort", listener);
      act(caller.reason);
      this.#abort?.(caller.reason);
    };
    if (caller.aborted) listener();
    else caller.addEventListener("abort", listener);
    return () => caller.removeEventListener("abort", listener);
  }
}
