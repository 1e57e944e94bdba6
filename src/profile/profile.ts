import type { Price } from "../api/provider-config.ts";
import type { EngineTime } from "../clock/engine-time.ts";
import type { Health } from "../health/health.ts";
import type { HealthSettings } from "../health/health-settings.ts";
import type { Counters } from "../metrics.ts";
import type { Quota } from "../quota/quota.ts";
import type { QuotaReading } from "../quota/quota-reading.ts";
import type { QuotaSpec } from "../quota/quota-spec.ts";
import type { Demand, UsageVector } from "../quota/usage-vector.ts";
import type { Vocabulary } from "../validation/vocabulary.ts";

/** `waitMs` of a request that a provider can never take. */
export const TOO_LARGE = -1;

/**
 * Everything in which the two profiles differ. The rest of the engine asks a profile to do these things and never which
 * one it is. A third profile would be one more object of this type.
 */
export interface Profile {
  /** What configuration may say. */
  readonly vocabulary: Vocabulary;

  /** Length of a provider's first cooldown, in seconds, from its own and the limiter's setting. */
  cooldownSeconds(own: number | undefined, byDefault: number): number;

  /** What multiplies a provider's score, from its own setting. */
  weight(own: number | undefined): number;

  createHealth(settings: HealthSettings, now: number): Health;

  /** Starts counting; resets of fixed windows go by `time`. */
  createQuota(spec: QuotaSpec, pool: string | null, time: EngineTime, now: number): Quota;

  /** The quotas of a re-declared provider: which of those it had go on counting, and which start anew. */
  upsertQuotas(specs: readonly QuotaSpec[], had: readonly Quota[], create: (spec: QuotaSpec) => Quota): Quota[];

  /** Which entries of a capability's list are candidates, by place. */
  candidates(names: readonly string[]): readonly number[];

  /** Completes, in place, what was told about a request to what an observation counts in each dimension. */
  countObserved(amounts: UsageVector, price: Price | null): void;

  /** In how many whole ms the quotas have room for the request: 0 now, Infinity at no known time, TOO_LARGE never. */
  waitMs(quotas: readonly Quota[], needs: Demand, now: number, isExact: boolean): number;

  /** The instant from which they have, if nothing is counted until then; Infinity: never by time alone; NaN: it may change. */
  roomAt(quotas: readonly Quota[], needs: Demand, now: number): number;

  /**
   * Reads the quotas of a provider into `reading`. Returns the instant until which time alone changes nothing of it;
   * -Infinity: it changes at every instant.
   */
  readQuotas(quotas: readonly Quota[], reading: QuotaReading, now: number): number;

  /** The very instant at which they have, by what is counted already; Infinity: not by that. */
  fitsAt(quotas: readonly Quota[], needs: Demand, now: number): number;

  /** Throws if it knows no leases. */
  requireLeases(): void;

  /** No score of a strategy that came with the package counts more. */
  readonly scoreCap: number;

  /** What several quotas of one dimension leave together. */
  remaining(quotas: readonly Quota[], now: number): number;

  /** Counts the calls that named something unknown, or asked for a capability without providers. */
  readonly miscalls: {
    unknownCapability(counters: Counters): void;
    unknownProvider(counters: Counters): void;
    emptyCapability(counters: Counters): void;
  };
}
