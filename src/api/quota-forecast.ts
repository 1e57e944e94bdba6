import type { Dimension } from "./dimension.ts";
import type { WindowSpec } from "./window.ts";

/** Current state and forecast of one quota. All fields are always present. */
export interface QuotaForecast {
  readonly dimension: Dimension;
  readonly window: WindowSpec | null;
  /** Pool of the quota; null: the quota is the provider's own. */
  readonly pool: string | null;
  readonly limit: number;
  /** Limit in force: `burst` of a token bucket, else `limit`, or a lower one that the provider reported. */
  readonly ceiling: number;
  /** "header": the provider reported it. "config": it was declared. */
  readonly ceilingSource: "config" | "header";
  /** Amount counted in the window. It exceeds `ceiling` if more was used than allowed. */
  readonly used: number;
  /** Amount reserved by open leases. */
  readonly inFlight: number;
  /** Amount that can be granted now: whole, at least 0. It can be more than `ceiling - used - inFlight` after a report. */
  readonly remaining: number;
  /** With a store: the part of `remaining` that this process can grant without asking it. null: there is no store. */
  readonly inHand: number | null;
  readonly burnPerSecond: number;
  /** Milliseconds until the burn rate fills the quota, releases included; null: it does not. */
  readonly exhaustedInMs: number | null;
  /** Whole milliseconds, rounded up, until the next known release; null: none is known. */
  readonly nextReleaseInMs: number | null;
  /** Amount of the next known release; 0: none is known. */
  readonly nextReleaseAmount: number;
}
