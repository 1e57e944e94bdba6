/** Summary of all quotas of a provider, as a selection reads it. */
export interface QuotaReading {
  /** Quota part of the score, 0 to 1, for a request of negligible size. */
  quotaScore: number;
  /** The same, as a decision reports it. */
  reportedQuotaScore: number;
  /** Smallest remaining amount of all quotas on requests and concurrency. */
  requestsLeft: number;
  /** Smallest remaining amount of all quotas on tokens, cost and bytes. */
  sizeLeft: number;
  /** Smallest limit of those. Infinity: no such limit. */
  leastSize: number;
  /** Largest variance of the open estimates on one of the quotas on tokens, cost and bytes. */
  openVariance: number;
}
