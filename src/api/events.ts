import type { Dimension } from "./dimension.ts";
import type { Lease } from "./lease.ts";
import type { Refusal } from "./refusal.ts";
import type { StatusClass } from "./status-class.ts";
import type { WindowSpec } from "./window.ts";

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
