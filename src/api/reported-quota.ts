import type { Dimension } from "./dimension.ts";
import type { WindowSpec } from "./window.ts";

/** State of one limit as a provider reported it with a response, for example in its headers. Invalid parts are ignored. */
export interface ReportedQuota {
  dimension: Dimension;
  /** Window of the limit, if it is known. Without it the quota is found by its `limit`, or from a `resetMs` of kind "full". */
  window?: WindowSpec | undefined;
  /** Limit of the provider. Lowers the declared limit, and never raises it. 0 and less: unknown. */
  limit?: number | undefined;
  /** Amount that remained when the provider had counted this request. */
  remaining?: number | undefined;
  /** Milliseconds from the response to the reset. */
  resetMs?: number | undefined;
  /** Meaning of the reset: the instant at which a bucket is full, or at which a fixed window ends. Default: unknown. */
  resetKind?: "full" | "window" | undefined;
  /** Resolution of `resetMs`, such as 1_000 for whole seconds. Default 0. */
  resolutionMs?: number | undefined;
}

/** Facts that arrive with the headers of a response. */
export interface ResponseReport {
  /** Limits that the provider reported. Invalid ones are counted in `metrics.invalidUsages`. */
  reported?: readonly ReportedQuota[] | undefined;
}
