import type { Dimension } from "./dimension.ts";
import type { WindowSpec } from "./window.ts";

/** Reason why one provider cannot take a request. `retryAfterMs`: whole milliseconds, rounded up; null: no known time. */
export type RefusalReason<P extends string = string> =
  | {
      readonly provider: P;
      readonly reason: "quota" | "concurrency" | "too_large";
      readonly dimension: Dimension;
      readonly window: WindowSpec | null;
      readonly pool: string | null;
      /** Key of the request, if the limit is that of the key; else missing. */
      readonly fairnessKey?: string;
      readonly limit: number;
      readonly remaining: number;
      readonly needed: number;
      /** Full places: for how long leases of this limiter have held one. */
      readonly heldForMs?: number;
      /** Full places: how many of them timed-out or aborted tasks hold that still run. */
      readonly abandoned?: number;
      readonly retryAfterMs: number | null;
    }
  | {
      readonly provider: P;
      readonly reason:
        | "cooldown"
        | "unhealthy"
        | "dead"
        | "ramping"
        | "excluded"
        | "paused"
        | "not_registered"
        | "waiters_ahead";
      /** Cooldown: time that the provider itself asked for, if one request is tried earlier (`retryAfterMs`). */
      readonly statedWaitMs?: number;
      readonly retryAfterMs: number | null;
    };

/** Refusal of a request, with one reason per provider of the capability. */
export interface Refusal<P extends string = string> {
  readonly granted: false;
  /** Earliest known time of all reasons, in milliseconds from now; null: none is known. */
  readonly retryAfterMs: number | null;
  /** Same in seconds for an HTTP Retry-After header: rounded up, at least 1. */
  readonly retryAfterSeconds: number | null;
  readonly reasons: readonly RefusalReason<P>[];
}
