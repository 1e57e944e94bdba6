import type { Dimension } from "./dimension.ts";
import type { WindowSpec } from "./window.ts";

/** One quota now; every field always there, null where there is no known time. */
export interface QuotaForecast {
  readonly dimension: Dimension;
  readonly window: WindowSpec | null;
  /** The pool that it belongs to; null: the provider's own. */
  readonly pool: string | null;
  readonly limit: number;
  /** The limit in force: `burst` of a token bucket, else `limit`. */
  readonly ceiling: number;
  readonly ceilingSource: "config" | "header" | "learned";
  /** What is counted in the window; more than `ceiling` where more was used than allowed. */
  readonly used: number;
  readonly inFlight: number;
  /** What could be granted now, whole, from 0. */
  readonly remaining: number;
  readonly burnPerSecond: number;
  /** In how many ms the burn rate fills the quota, with what will be released counted; null: it will not. */
  readonly exhaustedInMs: number | null;
  /** In how many whole ms, rounded up, something is released next; null: nothing is known to be. */
  readonly nextReleaseInMs: number | null;
  /** How much that will be; 0 if nothing is known to be released. */
  readonly nextReleaseAmount: number;
}
