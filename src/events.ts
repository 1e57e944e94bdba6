import type { LimiterEvents } from "./api/events.ts";

type Listener = (event: never) => unknown;

/** Holds back what happened during a call until the call's state is complete, then tells the listeners, in order. */
export class Events {
  readonly #listeners = new Map<keyof LimiterEvents, Listener[]>();
  #pending: { readonly name: keyof LimiterEvents; readonly event: unknown }[] = [];
  #isTelling = false;

  on(name: keyof LimiterEvents, listener: Listener): () => void {
    // Each registration is one of its own, also of the same function; lists are replaced, so that telling is not disturbed.
    const registration: Listener = (event) => listener(event);
    this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), registration]);
    return () => {
      const left = (this.#listeners.get(name) ?? []).filter((other) => other !== registration);
      if (left.length > 0) this.#listeners.set(name, left);
      else this.#listeners.delete(name);
    };
  }

  /** Whether anybody is told: for events of every call, so that nothing is made for nobody. */
  hasListener(name: keyof LimiterEvents): boolean {
    return this.#listeners.size > 0 && this.#listeners.has(name);
  }

  emit<E extends keyof LimiterEvents>(name: E, event: LimiterEvents[E]): void {
    if (this.#listeners.has(name)) this.#pending.push({ name, event });
  }

  /** Tells what was raised since; what a listener throws is the listener's own affair. */
  flush(): void {
    // What a listener's own calls raise is told after what was raised before them, to everybody in the same order.
    if (this.#pending.length === 0 || this.#isTelling) return;
    this.#isTelling = true;
    while (this.#pending.length > 0) {
      const { name, event } = this.#pending.shift()!;
      for (const listener of this.#listeners.get(name) ?? []) {
        tell(listener, event as never);
      }
    }
    this.#isTelling = false;
  }
}

/** An exception in a listener, or a promise of it that rejects, changes nothing. */
async function tell(listener: Listener, event: never): Promise<void> {
  try {
    await listener(event);
  } catch {}
}
