import type { Price } from "../api/provider-config.ts";
import type { EngineTime } from "../clock/engine-time.ts";
import type { Health } from "../health/health.ts";
import type { HealthSettings } from "../health/health-settings.ts";
import type { Counters } from "../metrics.ts";
import type { FitOptions } from "../quota/availability.ts";
import type { Quota } from "../quota/quota.ts";
import type { QuotaReading } from "../quota/quota-reading.ts";
import type { QuotaSpec } from "../quota/quota-spec.ts";
import type { Demand, UsageVector } from "../quota/usage-vector.ts";
import type { Vocabulary } from "../validation/vocabulary.ts";

/** `waitMs` of a request with a demand that is larger than a limit. */
export const TOO_LARGE = -1;

/**
 * All differences between the two profiles. The rest of the engine calls these methods and never asks which profile it has.
 * A third profile would be one more object of this type.
 */
export interface Profile {
  /** Words and options that a configuration can use. */
  readonly vocabulary: Vocabulary;

  /** Default of `minimumHealthScore`. */
  readonly minimumHealth: number;

  /** Default of `defaultCooldownSeconds`. */
  readonly defaultCooldownSeconds: number;

  readonly healthDefaults: HealthSettings;

  /** Length of a provider's first cooldown in seconds. `own`: its own setting. `byDefault`: the setting of the limiter. */
  cooldownSeconds(own: number | undefined, byDefault: number): number;

  /** Factor of a provider's score. `own`: its own setting. */
  weight(own: number | undefined): number;

  createHealth(settings: HealthSettings, now: number): Health;

  /** Creates a quota that counts from `now` on. The resets of fixed windows follow `time`. */
  createQuota(spec: QuotaSpec, pool: string | null, time: EngineTime, now: number): Quota;

  /** Returns the quotas of a provider that is declared again: kept previous ones, and newly created ones. */
  upsertQuotas(specs: readonly QuotaSpec[], previous: readonly Quota[], create: (spec: QuotaSpec) => Quota): Quota[];

  /** Returns the indices of the entries in a capability's list that are candidates. */
  candidates(names: readonly string[]): readonly number[];

  /** Completes the reported usage of an observation, in place, to the amount that each dimension counts. */
  countObserved(amounts: UsageVector, price: Price | null): void;

  /** In how many whole ms the quotas have room for the request: 0 now, Infinity at no known time, TOO_LARGE never. */
  waitMs(quotas: readonly Quota[], needs: Demand, now: number, isExact: boolean): number;

  /**
   * Reads the quotas of a provider into `reading`. Returns the instant until which time alone does not change it.
   * -Infinity: it changes at every instant.
   */
  readQuotas(quotas: readonly Quota[], reading: QuotaReading, now: number): number;

  /** Quota part of the score for a request with these amounts, as of the latest `readQuotas`. null: it looks at no request. */
  readonly quotaScoreFor: ((quotas: readonly Quota[], amounts: UsageVector) => number) | null;

  /** The first instant at which all of the quotas have room; see availability.ts. */
  earliestFit(quotas: readonly Quota[], needs: Demand, now: number, options?: FitOptions): number;

  /** Throws if the profile has no leases. */
  requireLeases(): void;

  /** Upper limit of the scores of built-in strategies. */
  readonly scoreCap: number;

  /** Remaining amount of a dimension with several quotas. */
  remaining(quotas: readonly Quota[], now: number): number;

  /** Counters of calls with an unknown name, or for a capability without providers. */
  readonly miscalls: {
    unknownCapability(counters: Counters): void;
    unknownProvider(counters: Counters): void;
    emptyCapability(counters: Counters): void;
  };
}
