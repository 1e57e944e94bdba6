import type { Decision } from "./decision.ts";
import type { ReportedQuota, ResponseReport } from "./reported-quota.ts";
import type { StatusClass } from "./status-class.ts";
import type { ClientUsage, ReportedUsage, Usage } from "./usage.ts";

/** Outcome and usage with which a lease ends. */
export interface Settlement {
  /** Status class or HTTP status; default "success". An invalid one becomes "cancelled", counted in `metrics.invalidUsages`. */
  status?: StatusClass | number | undefined;
  /** Amounts that were used; default the last report, else the stated or learned ones. */
  usage?: ReportedUsage | ClientUsage | undefined;
  /** Latency in milliseconds; default the time since the grant. */
  latencyMs?: number | undefined;
  /** Milliseconds for which the provider asks to get no more requests. Ignored after a success. */
  retryAfterMs?: number | undefined;
  /** Limits that the provider reported with the response. Invalid ones are counted in `metrics.invalidUsages`. */
  reported?: readonly ReportedQuota[] | undefined;
}

/** Granted request with reserved capacity. The first ending counts; after it, all methods do nothing. */
export interface Lease<P extends string = string> {
  readonly granted: true;
  readonly provider: P;
  readonly capability: string;
  /** Decision as of the grant. */
  readonly decision: Decision<P>;
  /** Reserved amounts: the stated ones, else estimates. */
  readonly reserved: Usage;
  /** True after any ending. */
  readonly settled: boolean;
  /**
   * Records that the response headers have arrived, so that the provider has counted the request by now. Limits that the
   * provider reported with them count as its own statement of what remains. Never throws.
   */
  headersReceived(report?: ResponseReport): void;
  /**
   * Replaces the estimate by the usage so far. The lease stays open. Invalid amounts are counted in `metrics.invalidUsages`.
   * null and undefined do nothing.
   */
  report(usage: ReportedUsage | ClientUsage | null | undefined): void;
  /**
   * Ends the lease with an outcome, or with only its status. Never throws: an outcome that cannot be read is "cancelled" and
   * emits `unrecognizedOutcome`.
   */
  settle(settlement?: Settlement | StatusClass | number): void;
  /** Ends the lease of a request that was never sent and returns all amounts. Settles as "cancelled" after `headersReceived()`. */
  release(): void;
  /** Settles an open lease as "cancelled", which keeps what the provider might have counted. */
  [Symbol.dispose](): void;
}

/** Lease that a task keeps beyond its end. It expires `leaseTimeoutMs` after the latest `read`. */
export interface KeptLease<P extends string = string> extends Lease<P> {
  /** Records that the response was read, so that the lease does not expire. */
  read(): void;
}
