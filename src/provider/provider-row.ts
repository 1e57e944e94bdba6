import type { QuotaReading } from "../quota/quota-reading.ts";

/**
 * Facts of one provider that every selection reads, cached in plain fields. They are valid until `validUntil`. All lists
 * that name the provider share its row.
 */
export class ProviderRow implements QuotaReading {
  /** Instant from which the facts have to be read again. -Infinity: now, because something was counted or changed. */
  validUntil: number = -Infinity;
  /** The same for the facts of its quotas alone: health that heals changes at every instant, quotas do not. */
  quotasValidUntil: number = -Infinity;
  /** Incremented whenever the facts are read again, so that a list can see that its scores are out of date. */
  revision = 0;
  /** Incremented whenever something was counted or changed, and not by time alone. */
  changes = 0;
  isEligible = false;
  /** True in a cooldown that a request without another eligible provider can probe. */
  isOpenForProbe = false;
  healthScore = 1;
  /** Mean latency (ms); 0: unknown. */
  latencyMs = 0;
  priority = 0;
  weight = 1;
  quotaScore = 1;
  reportedQuotaScore = 1;
  requestsLeft: number = Infinity;
  sizeLeft: number = Infinity;
  leastSize: number = Infinity;
  openVariance = 0;
}
