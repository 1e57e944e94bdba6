import type { ReportedQuota } from "./reported-quota.ts";
import type { StatusClass } from "./status-class.ts";
import type { ClientUsage, ReportedUsage } from "./usage.ts";

/** Outcome of a request. */
export interface Outcome {
  /** Status class or HTTP status. */
  status: StatusClass | number;
  /** Latency in milliseconds; fractions are allowed. Enters the provider's mean after a success (classic: or client error). */
  latencyMs?: number | undefined;
  /** Milliseconds for which the provider asks to get no more requests (Retry-After is in seconds). Ignored after a success. */
  retryAfterMs?: number | undefined;
  /** Limits that the provider reported with the response. Invalid ones are counted in `metrics.invalidUsages`. */
  reported?: readonly ReportedQuota[] | undefined;
}

/** Report about one request that had no lease. */
export interface Observation<P extends string = string> {
  provider: P;
  /** Capability of the request. The limiter learns the usual size of its requests. */
  capability?: string | undefined;
  /** Amounts that were used; default one request. */
  usage?: ReportedUsage | ClientUsage | undefined;
  outcome: Outcome;
}
