/**
 * State of a limiter as plain JSON; input of the option `snapshot` of a later process. Its fields other than `version` and `savedAt`
 * are not meant to be read or written by callers. Times are ages in ms before `savedAt`, amounts are whole numbers.
 */
export interface LimiterSnapshot {
  readonly version: 1;
  /** Unix ms by the wall clock of the process that saved it; null: unknown, so that no time counts as passed. */
  readonly savedAt: number | null;
  readonly providers: { readonly [name: string]: ProviderSnapshot };
  readonly pools: { readonly [name: string]: readonly QuotaSnapshot[] };
  /** Learned sizes by capability, then by provider. */
  readonly sizes: { readonly [capability: string]: { readonly [provider: string]: SizeSnapshot } };
}

/** State of one provider. */
export interface ProviderSnapshot {
  readonly health: HealthSnapshot;
  /** Ramp-up; null: none. */
  readonly ramp: readonly (number | null)[] | null;
  readonly quotas: readonly QuotaSnapshot[];
}

/** Health, cooldown and dead key of one provider. */
export interface HealthSnapshot {
  readonly score: number;
  readonly scoreMs: number;
  readonly latencyMs: number | null;
  /** Rate limits, failures, and failed trials in a row. */
  readonly streaks: readonly number[];
  /** Ages of the streaks and of the cooldown; null: none. */
  readonly since: readonly (number | null)[];
  /** Time until the cooldown ends, a trial can start, a probe can start; null: no cooldown. */
  readonly cooldown: readonly number[] | null;
  /** Time until which the provider asked not to be called; null: it did not. */
  readonly statedMs: number | null;
  /** Time until the recheck of a dead key, and the present distance of rechecks; null: the key is not dead or is never rechecked. */
  readonly dead: readonly (number | null)[] | null;
  /** Ages of the last successes. */
  readonly successes: readonly number[];
}

/** Usage of one quota. */
export interface QuotaSnapshot {
  /** Dimension and window. */
  readonly key: string;
  /** Equal for quotas that differ in their limit at most. */
  readonly kind: string;
  readonly windowMs: number | null;
  /** Amount that was used or reserved. */
  readonly used: number;
  /** Amount of requests that had not ended. */
  readonly open: number;
  readonly usage: readonly number[];
  readonly burn: readonly number[];
  readonly reported: readonly (number | null)[] | null;
}

/** Learned size of the requests of one capability on one provider. */
export interface SizeSnapshot {
  readonly tokens: readonly number[];
  readonly output: readonly number[];
  readonly variance: number;
  readonly hasUnreported: boolean;
}
