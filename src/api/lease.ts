import type { Decision } from "./decision.ts";
import type { ReportedQuota } from "./observation.ts";
import type { StatusClass } from "./status-class.ts";
import type { Usage } from "./usage.ts";

/** The end of a lease; `status` default "success", `latencyMs` default measured, `usage` default the last report, else the estimate. */
export interface Settlement {
  /** Anything that is no status, or no settlement, ends the lease as "cancelled" and is counted in `metrics.invalidUsages`. */
  status?: StatusClass | number | undefined;
  usage?: Usage | undefined;
  latencyMs?: number | undefined;
  /** For how many ms from now the provider asks to be left alone; ignored on a success. */
  retryAfterMs?: number | undefined;
  /** Not used yet. */
  reported?: readonly ReportedQuota[] | undefined;
}

/** A granted, reserved request; every method is idempotent: the first ending decides, after it none does anything. */
export interface Lease<P extends string = string> {
  readonly granted: true;
  readonly provider: P;
  readonly capability: string;
  /** Why this provider; made from what was true at the grant. */
  readonly decision: Decision<P>;
  /** What was taken of the quotas: as stated, else as learned. */
  readonly reserved: Usage;
  /** True once it has ended, in whichever way. */
  readonly settled: boolean;
  /** The server has counted the request; call it when the headers are back. */
  headersReceived(): void;
  /** Replaces the estimate by what is known so far; the lease stays open. Amounts that are none are counted in `metrics.invalidUsages`. */
  report(usage: Usage): void;
  /** The request has ended. Never throws. */
  settle(settlement?: Settlement): void;
  /** "I never sent it": gives everything back; after `headersReceived()` as `settle({ status: "cancelled" })`. */
  release(): void;
  /** If not settled: as `settle({ status: "cancelled" })`, which keeps what the server may have counted. */
  [Symbol.dispose](): void;
}
