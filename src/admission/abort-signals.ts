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

/** The state of a signal. One that cannot be read has not aborted. */
export function abortOf(signal: AbortSignal | undefined): { readonly reason: unknown } | null {
  try {
    const { aborted, reason } = (signal ?? {}) as Partial<Abortable>;
    return aborted ? { reason } : null;
  } catch {
    return null;
  }
}

/** Lets any number of acts wait for a signal with one listener, for runtimes warn of more than ten. */
export class AbortSignals {
  readonly #waiting = new WeakMap<AbortSignal, Listening>();

  /** Calls `act` once when the signal, which has not aborted yet, does; returns its cancel. */
  on(signal: AbortSignal, act: () => void): () => void {
    const abortable = signal as Abortable;
    const listening = this.#waiting.get(signal) ?? this.#newlyOn(signal);
    const { acts, listener } = listening;
    // Each call is one of its own, also of the same function.
    const own = () => act();
    if (!listening.isOn) abortable.addEventListener("abort", listener);
    listening.isOn = true;
    acts.add(own);
    return () => {
      if (acts.delete(own) && acts.size === 0) stop(abortable, listening);
    };
  }

  #newlyOn(signal: AbortSignal): Listening {
    const acts = new Set<() => void>();
    const listener = () => {
      stop(signal as Abortable, listening);
      // One act may cancel another.
      for (const act of [...acts]) if (acts.delete(act)) act();
    };
    const listening: Listening = { acts, listener, isOn: false };
    this.#waiting.set(signal, listening);
    return listening;
  }
}

interface Listening {
  readonly acts: Set<() => void>;
  readonly listener: () => void;
  /** True while the signal has the listener. It keeps the listener if its `removeEventListener` is missing or throws. */
  isOn: boolean;
}

function stop(signal: Abortable, listening: Listening): void {
  try {
    signal.removeEventListener("abort", listening.listener);
    listening.isOn = false;
  } catch {}
}
