/** Summary of all quotas of a provider, as a selection reads it. */
export interface QuotaReading {
  /** Quota part of the score, 0 to 1, pressure included. */
  quotaScore: number;
  /** Quota part that a decision reports. */
  reportedQuotaScore: number;
  /** Smallest remaining amount of all quotas on requests and concurrency. */
  requestsLeft: number;
  /** Smallest remaining amount of all other quotas, where a demand depends on the size of the request. */
  sizeLeft: number;
  /** Largest variance of the estimates that open leases have reserved on one of those other quotas. */
  openVariance: number;
}
