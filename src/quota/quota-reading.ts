/** Facts that a selection reads from all quotas of a provider together. */
export interface QuotaReading {
  /** Quota part of the score, 0 to 1. */
  quotaScore: number;
  /** Quota part that a decision reports. */
  reportedQuotaScore: number;
  /** Smallest rest of all quotas of requests and places. */
  requestsLeft: number;
  /** Smallest rest of all quotas whose amounts depend on the size of a request. */
  sizeLeft: number;
  /** Largest variance of the estimates that open leases hold of one such quota. */
  openVariance: number;
}
