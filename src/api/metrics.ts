/** Counters since the creation of the limiter, as whole numbers. */
export interface Metrics {
  /** Calls of `select` that were answered, or refused because no provider was available. */
  readonly selects: number;
  /** Calls of `observe`. */
  readonly observations: number;
  /** Cooldowns that began. A lengthened cooldown counts once. */
  readonly cooldownsTriggered: number;
  /** Calls of `select` without an available provider. */
  readonly noProviderAvailable: number;
  readonly leasesGranted: number;
  readonly leasesSettled: number;
  readonly leasesReleased: number;
  readonly leasesExpired: number;
  /** Tasks that still ran a second after a time-out or an abort of their call, so that they kept their places. */
  readonly tasksAbandoned: number;
  readonly refusals: number;
  readonly failovers: number;
  /** Invalid amounts, latencies, waiting times and statuses that were reported after a request, and ignored. */
  readonly invalidUsages: number;
  /** Outcomes that no rule recognizes, and settlements that cannot be read. */
  readonly unrecognizedOutcomes: number;
  /** Reported limits that belong to none of the provider's quotas, or to several equally. */
  readonly unmatchedReports: number;
  /** Answers of the store. */
  readonly storeExchanges: number;
  /** Exchanges with the store that failed, or took longer than its `timeoutMs`. */
  readonly storeFailures: number;
  /** Exceptions that listeners threw, and rejections of promises that they returned. */
  readonly listenerErrors: number;
}
