import type { LimiterEvents } from "./api/events.ts";
import type { Counters } from "./metrics.ts";

type Counts = Pick<Counters, "listenerErrors">;
type Listener = (event: never) => unknown;

/** Longest chain of events that are raised by listeners of the one before. */
const MAX_ROUNDS = 1_000;

/** Wraps a listener, so that each registration has an identity of its own, also if one function is registered twice. */
interface Registration {
  readonly listener: Listener;
}

/** Events of one limiter: collects them during a call and delivers them, in order, when the state of that call is complete. */
export class Events {
  readonly #registrations = new Map<keyof LimiterEvents, Set<Registration>>();
  /** The same as lists, which a change of the registrations drops. A delivery goes on with the list that it began with. */
  readonly #lists = new Map<keyof LimiterEvents, readonly Registration[]>();
  readonly #pending: { readonly name: keyof LimiterEvents; readonly event: unknown }[] = [];
  /** True if there are events to deliver. */
  hasPending = false;
  #isDelivering = false;
  readonly #counters: Counts;

  readonly #fail = (): void => {
    this.#counters.listenerErrors++;
  };

  constructor(counters: Counts) {
    this.#counters = counters;
  }

  /** Adds a listener. Returns the function that removes it. */
  on(name: keyof LimiterEvents, listener: Listener): () => void {
    const registration: Registration = { listener };
    const registrations = this.#registrations.get(name) ?? new Set();
    this.#registrations.set(name, registrations.add(registration));
    this.#lists.delete(name);
    return () => {
      registrations.delete(registration);
      this.#lists.delete(name);
      if (registrations.size === 0 && this.#registrations.get(name) === registrations) this.#registrations.delete(name);
    };
  }

  /** True if the event has a listener. Callers ask before they build the event of a frequent operation. */
  hasListener(name: keyof LimiterEvents): boolean {
    return this.#registrations.size > 0 && this.#registrations.has(name);
  }

  /** Adds an event to those that the next `flush` delivers. */
  emit<E extends keyof LimiterEvents>(name: E, event: LimiterEvents[E]): void {
    if (!this.#registrations.has(name)) return;
    this.#pending.push({ name, event });
    this.hasPending = true;
  }

  /** Delivers the pending events, each to the listeners that it has by then. Nothing that a listener throws gets out. */
  flush(): void {
    // A listener can call the limiter: the outer flush delivers the events of such calls last, so that all listeners
    // see the same order.
    if (this.#isDelivering) return;
    this.#isDelivering = true;
    const pending = this.#pending;
    let rounds = 0;
    let roundEnd = pending.length;
    // The list can grow in this loop.
    for (let index = 0; index < pending.length; index++) {
      const { name, event } = pending[index]!;
      if (index === roundEnd) {
        roundEnd = pending.length;
        if (++rounds === MAX_ROUNDS) {
          const error = new Error(`listeners raised events ${MAX_ROUNDS} times in a row, the last one "${name}"`);
          this.#deliver("listenerError", { event: name, error });
          break;
        }
      }
      this.#deliver(name, event);
    }
    pending.length = 0;
    this.hasPending = false;
    this.#isDelivering = false;
  }

  #deliver(name: keyof LimiterEvents, event: unknown): void {
    let list = this.#lists.get(name);
    if (list === undefined) {
      list = [...(this.#registrations.get(name) ?? [])];
      this.#lists.set(name, list);
    }
    // Listeners can be added and removed by listeners, which takes effect with the next event.
    for (const { listener } of list) this.#call(listener, event as never);
  }

  /** Calls a listener. Counts what it throws, and the rejection of a promise that it returns. */
  #call(listener: Listener, event: never): void {
    try {
      const result = listener(event) as { readonly then?: unknown } | null | undefined;
      if (typeof result?.then === "function") Promise.resolve(result).catch(this.#fail);
    } catch {
      this.#fail();
    }
  }
}
