declare global {
  // Empty where the runtime's own types are there, and a name for them where they are not.
  interface AbortSignal {}
}

/** The members of a signal that are used; those of every runtime have them. */
export interface Abortable {
  readonly aborted: boolean;
  readonly reason: unknown;
  addEventListener(type: "abort", listener: () => void): void;
  removeEventListener(type: "abort", listener: () => void): void;
}

/** Lets any number of acts wait for a signal with one listener, for runtimes warn of more than ten. */
export class AbortSignals {
  readonly #waiting = new WeakMap<AbortSignal, { readonly acts: Set<() => void>; readonly listener: () => void }>();

  /** Calls `act` once when the signal, which has not aborted yet, does; returns its cancel. */
  on(signal: AbortSignal, act: () => void): () => void {
    const abortable = signal as Abortable;
    const { acts, listener } = this.#waiting.get(signal) ?? this.#newlyOn(signal);
    // Each call is one of its own, also of the same function.
    const own = () => act();
    if (acts.size === 0) abortable.addEventListener("abort", listener);
    acts.add(own);
    return () => {
      if (acts.delete(own) && acts.size === 0) abortable.removeEventListener("abort", listener);
    };
  }

  #newlyOn(signal: AbortSignal): { readonly acts: Set<() => void>; readonly listener: () => void } {
    const acts = new Set<() => void>();
    const listener = () => {
      (signal as Abortable).removeEventListener("abort", listener);
      // One act may cancel another.
      for (const act of [...acts]) if (acts.delete(act)) act();
    };
    const waiting = { acts, listener };
    this.#waiting.set(signal, waiting);
    return waiting;
  }
}
