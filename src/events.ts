import type { Lease } from "./admission/lease.ts";
import type { Dimension } from "./config/dimension.ts";
import type { StatusClass } from "./config/status-class.ts";
import type { WindowSpec } from "./config/window.ts";
import type { Refusal } from "./selection/refusal.ts";

/** What a listener is told, by event; plain objects that are never written to again. */
export interface LimiterEvents<P extends string = string> {
  /** `waitedMs` is 0 for one that did not wait. */
  leaseGranted: { readonly lease: Lease<P>; readonly waitedMs: number };
  /** A lease was settled or disposed; `latencyMs` as told, else from the grant. */
  leaseSettled: { readonly lease: Lease<P>; readonly status: StatusClass; readonly latencyMs: number };
  /** A lease was not settled within `leaseTimeoutMs`; told by the first call after that. */
  leaseExpired: { readonly lease: Lease<P> };
  /** `tryAcquire` answered no, or `acquire` rejected. */
  refused: { readonly capability: string; readonly refusal: Refusal<P> };
  /** `run`, `stream` or `map` goes on with another provider. */
  failover: { readonly capability: string; readonly from: P; readonly to: P; readonly status: StatusClass };
  /** Also when a cooldown is lengthened: `durationMs` is from now to its end. */
  cooldownStarted: { readonly provider: P; readonly status: StatusClass; readonly durationMs: number };
  /** Once, by the first call at or after the end that reads the provider. */
  cooldownEnded: { readonly provider: P };
  /** A dead key: `unauthorized` was observed. */
  providerDead: { readonly provider: P };
  providerRevived: { readonly provider: P };
  /** A quota went from something left to nothing; for a pool's it names the provider that did it. */
  limitReached: {
    readonly provider: P;
    readonly dimension: Dimension;
    readonly window: WindowSpec | null;
    readonly pool: string | null;
  };
}

/** The names of the events. */
export const EVENT_NAMES: readonly string[] = Object.keys({
  leaseGranted: true,
  leaseSettled: true,
  leaseExpired: true,
  refused: true,
  failover: true,
  cooldownStarted: true,
  cooldownEnded: true,
  providerDead: true,
  providerRevived: true,
  limitReached: true,
} satisfies { [event in keyof LimiterEvents]: true });

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
  isHeard(name: keyof LimiterEvents): boolean {
    return this.#listeners.size > 0 && this.#listeners.has(name);
  }

  raise<E extends keyof LimiterEvents>(name: E, event: LimiterEvents[E]): void {
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
