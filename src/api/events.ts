import type { Dimension } from "./dimension.ts";
import type { Lease } from "./lease.ts";
import type { Refusal, RefusalReason } from "./refusal.ts";
import type { StatusClass } from "./status-class.ts";
import type { WindowSpec } from "./window.ts";

/** The call that an event is about: one `run`, one `stream`, or one item of `map`. */
export interface CallEvent {
  /** Number of the call, from 1, in the order in which the calls of this limiter began. */
  readonly callId: number;
  /** Option `label` of the call; null: none. */
  readonly label: string | null;
  readonly capability: string;
}

/**
 * How a call ended. "value": with the value of its task. "error": with the error of its task. "aborted": by its signal.
 * "stopped": by the `stopSignal` of its batch. "closed": by `close`. Others: with NoAvailableProviders of that `kind`.
 */
export type CallOutcome =
  | "value"
  | "error"
  | "aborted"
  | "stopped"
  | "closed"
  | "refused"
  | "queue_full"
  | "timed_out"
  | "attempts_failed"
  | "retry_budget";

/** Events of a limiter and the data that their listeners receive. The data never changes later. */
export interface LimiterEvents<P extends string = string> {
  /** A lease was granted. `waitedMs` is 0 if the request did not wait. */
  leaseGranted: { readonly lease: Lease<P>; readonly waitedMs: number };
  /** A lease was settled or disposed. `latencyMs` is the one of the settlement, else the time since the grant. */
  leaseSettled: { readonly lease: Lease<P>; readonly status: StatusClass; readonly latencyMs: number };
  /** A lease was not settled within `leaseTimeoutMs`. Emitted by the first call after that. */
  leaseExpired: { readonly lease: Lease<P> };
  /** `tryAcquire` returned a refusal, or `acquire` rejected with one. */
  refused: { readonly capability: string; readonly refusal: Refusal<P> };
  /** A call began to wait in the queue. `reasons`: why no provider can serve it now. */
  queued: CallEvent & { readonly reasons: readonly RefusalReason<P>[] };
  /** A lease was granted, and the task is called next. `attempt` counts from 1. `waitedMs`: time until the lease. */
  attemptStarted: CallEvent & { readonly provider: P; readonly attempt: number; readonly waitedMs: number };
  /** The task of an attempt ended, timed out or was aborted; of a stream, at its first chunk. */
  attemptEnded: CallEvent & {
    readonly provider: P;
    readonly attempt: number;
    readonly status: StatusClass;
    readonly latencyMs: number;
  };
  /** A call ended; of a stream, at its first chunk. `provider`: the one of the last attempt; null: no attempt was made. */
  callEnded: CallEvent & {
    readonly outcome: CallOutcome;
    readonly provider: P | null;
    readonly attempts: number;
    readonly durationMs: number;
  };
  /** `run`, `stream` or `map` continues with another provider. */
  failover: { readonly capability: string; readonly from: P; readonly to: P; readonly status: StatusClass };
  /** A cooldown began, or a stated wait lengthened it. `durationMs` is the time from now to its end. */
  cooldownStarted: { readonly provider: P; readonly status: StatusClass; readonly durationMs: number };
  /** A cooldown ended. Emitted once, by the first call after the end that reads the provider. */
  cooldownEnded: { readonly provider: P };
  /** A provider answered `unauthorized`: its key is dead. */
  providerDead: { readonly provider: P };
  /** A dead provider was revived, or a recheck of its key succeeded. */
  providerRevived: { readonly provider: P };
  /** The last of a quota was used. For a quota of a pool, `provider` is the one that used it. */
  limitReached: {
    readonly provider: P;
    readonly dimension: Dimension;
    readonly window: WindowSpec | null;
    readonly pool: string | null;
  };
  /**
   * A request was refused, or began to wait, because a dollar quota has too little left for it. Amounts are in micro-USD.
   * `retryAfterMs` is null if time alone never makes room.
   */
  budgetExhausted: {
    readonly provider: P;
    readonly capability: string;
    readonly window: WindowSpec | null;
    readonly pool: string | null;
    readonly limit: number;
    readonly remaining: number;
    readonly needed: number;
    readonly retryAfterMs: number | null;
  };
  /**
   * `run`, `stream` or `map` got an error or a value that no rule recognizes and handed it back, or `settle` one that it
   * cannot read. Null: it has no such name. Names are cut at 40 characters.
   */
  unrecognizedOutcome: {
    readonly provider: P;
    readonly capability: string;
    readonly name: string | null;
    readonly code: string | number | null;
    /** Name of the constructor. */
    readonly className: string | null;
  };
  /** The provider has `limits: "headers"`, and its first success reported none: it has no limits until a response reports one. */
  limitsUnknown: { readonly provider: P };
  /** 20 requests of the capability in a row were `unsuitable` for the provider, so it costs a round trip each time. */
  repeatedlyUnsuitable: { readonly provider: P; readonly capability: string; readonly count: number };
  /** The store did not answer. `whenStoreIsDown` decides what is granted until `storeUp`. */
  storeDown: { readonly error: unknown };
  /** The store answers again after `downMs`. */
  storeUp: { readonly downMs: number };
  /**
   * Listeners raised the next events 1,000 times in a row, so that the limiter dropped the rest. `event`: the first event that
   * was dropped.
   */
  listenerError: { readonly event: keyof LimiterEvents; readonly error: Error };
}

/** Names of all events. */
export const EVENT_NAMES: readonly string[] = Object.keys({
  leaseGranted: null,
  leaseSettled: null,
  leaseExpired: null,
  refused: null,
  queued: null,
  attemptStarted: null,
  attemptEnded: null,
  callEnded: null,
  failover: null,
  cooldownStarted: null,
  cooldownEnded: null,
  providerDead: null,
  providerRevived: null,
  limitReached: null,
  budgetExhausted: null,
  unrecognizedOutcome: null,
  limitsUnknown: null,
  repeatedlyUnsuitable: null,
  storeDown: null,
  storeUp: null,
  listenerError: null,
} satisfies { [event in keyof LimiterEvents]: null });
