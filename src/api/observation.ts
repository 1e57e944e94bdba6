import type { Dimension } from "./dimension.ts";
import type { StatusClass } from "./status-class.ts";
import type { Usage } from "./usage.ts";
import type { WindowSpec } from "./window.ts";

/** What a provider said about its own quota, already parsed. */
export interface ReportedQuota {
  dimension: Dimension;
  window?: WindowSpec | undefined;
  limit?: number | undefined;
  remaining?: number | undefined;
  resetMs?: number | undefined;
}

/** How a request ended; a number is an HTTP status code. */
export interface Outcome {
  status: StatusClass | number;
  /** Fractions allowed; of a success or client error it enters the provider's mean latency. */
  latencyMs?: number | undefined;
  /** For how many ms from now the provider asks to be left alone (the Retry-After header is in seconds); ignored on a success. */
  retryAfterMs?: number | undefined;
  /** Not used yet. */
  reported?: readonly ReportedQuota[] | undefined;
}

/** What happened to one request. */
export interface Observation<P extends string = string> {
  provider: P;
  /** What it was for: a registered one's requests are learned to be as large as this one was. */
  capability?: string | undefined;
  /** Default one request. */
  usage?: Usage | undefined;
  outcome: Outcome;
}
