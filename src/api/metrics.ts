/** Counters since the limiter was made; whole numbers. */
export interface Metrics {
  /** Calls of `select` that were answered, or refused for want of a provider. */
  readonly selects: number;
  readonly observations: number;
  /** Cooldowns that began; one that is lengthened counts once. */
  readonly cooldownsTriggered: number;
  /** `select` calls for which no provider was available. */
  readonly noProviderAvailable: number;
  readonly leasesGranted: number;
  readonly leasesSettled: number;
  readonly leasesReleased: number;
  readonly leasesExpired: number;
  readonly refusals: number;
  readonly failovers: number;
  /** Amounts, latencies and waiting times told after a call that were no such thing, and were ignored. */
  readonly invalidUsages: number;
}
