import type { Dimension } from "./dimension.ts";
import type { WindowSpec } from "./window.ts";

/** Why one provider cannot take the request; `retryAfterMs` in whole milliseconds, rounded up, null: no known time. */
export type RefusalReason<P extends string = string> =
  | {
      readonly provider: P;
      readonly reason: "quota" | "concurrency" | "too_large";
      readonly dimension: Dimension;
      readonly window: WindowSpec | null;
      readonly pool: string | null;
      readonly limit: number;
      readonly remaining: number;
      readonly needed: number;
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
      readonly retryAfterMs: number | null;
    };

/** Why nothing is granted: a reason per listed provider, and the earliest known time among them (null: none known). */
export interface Refusal<P extends string = string> {
  readonly granted: false;
  readonly retryAfterMs: number | null;
  /** For an HTTP Retry-After header: rounded up, at least 1. */
  readonly retryAfterSeconds: number | null;
  readonly reasons: readonly RefusalReason<P>[];
}
