import { type WebSignal, web } from "./web.ts";

/** Signals of callers, each with one listener for all requests that follow it: runtimes warn of more than ten. */
export class CallerSignals {
  readonly #following = new WeakMap<WebSignal, Set<() => void>>();

  /** Calls `act` when the signal aborts. Returns the function that ends this. */
  follow(signal: WebSignal, act: () => void): () => void {
    const acts = this.#following.get(signal) ?? this.#listen(signal);
    // A function of its own for each call.
    const own = () => act();
    acts.add(own);
    return () => {
      acts.delete(own);
    };
  }

  #listen(signal: WebSignal): Set<() => void> {
    const acts = new Set<() => void>();
    this.#following.set(signal, acts);
    signal.addEventListener("abort", () => {
      for (const act of [...acts]) if (acts.delete(act)) act();
    });
    return acts;
  }
}

/** Signal of a request: aborts with its attempt until the headers arrive, and with the caller until the body has ended. */
export class RequestSignal {
  readonly signal: WebSignal;
  readonly #abort: ((reason: unknown) => void) | undefined;
  readonly #caller: WebSignal | undefined;
  readonly #callers: CallerSignals;

  constructor(attempt: WebSignal, caller: WebSignal | undefined, callers: CallerSignals) {
    this.#caller = caller;
    this.#callers = callers;
    if (caller === undefined) {
      this.signal = attempt;
      return;
    }
    const controller = new web.AbortController();
    this.signal = controller.signal;
    this.#abort = (reason) => controller.abort(reason);
    attempt.addEventListener("abort", () => controller.abort(attempt.reason));
    if (attempt.aborted) controller.abort(attempt.reason);
  }

  /** Follows the caller from the headers on: calls `act`, then aborts the request. Returns the function that ends this. */
  follow(act: (reason: unknown) => void): () => void {
    const caller = this.#caller;
    if (caller === undefined) return () => {};
    const abort = () => {
      act(caller.reason);
      this.#abort?.(caller.reason);
    };
    if (!caller.aborted) return this.#callers.follow(caller, abort);
    abort();
    return () => {};
  }
}
