export type { Attempt, MapProgress, MapResult, MapResults, RunResult, TaskContext } from "./api/attempt.ts";
export type { Clock } from "./api/clock.ts";
export type { Alternative, Decision } from "./api/decision.ts";
export type { DialectName } from "./api/dialect-name.ts";
export { Dimension } from "./api/dimension.ts";
export type { CallEvent, CallOutcome, LimiterEvents } from "./api/events.ts";
export type { Explanation } from "./api/explanation.ts";
export type { Inspection, ProviderInspection, QueueGroup, QueueInspection } from "./api/inspection.ts";
export type { KeptLease, Lease, Settlement } from "./api/lease.ts";
export type { Metrics } from "./api/metrics.ts";
export type { Observation, Outcome } from "./api/observation.ts";
export type { GrateLimiterOptions, HealthOptions, ScoringWeights } from "./api/options.ts";
export type {
  CapabilityConfig,
  CapabilityProvider,
  KeyLimitsConfig,
  Limits,
  PoolConfig,
  Price,
  ProviderConfig,
  ProviderPatch,
  QuotaConfig,
} from "./api/provider-config.ts";
export type { QuotaForecast } from "./api/quota-forecast.ts";
export type { Refusal, RefusalReason } from "./api/refusal.ts";
export type { ReportedQuota, ResponseReport } from "./api/reported-quota.ts";
export type {
  AcquireOptions,
  CloseOptions,
  FairnessOptions,
  MapOptions,
  RunDefaults,
  RunOptions,
  SelectOptions,
  StreamOptions,
  TaskResult,
} from "./api/run-options.ts";
export type { ProviderScoreContext, QuotaState, ScoreBreakdown, ScoringStrategy } from "./api/scoring-strategy.ts";
export type { SharedStore } from "./api/shared-store.ts";
export type { LimiterSnapshot } from "./api/snapshot.ts";
export { StatusClass } from "./api/status-class.ts";
export type { StoreInspection } from "./api/store-inspection.ts";
export type { ClientUsage, ReportedUsage, Usage } from "./api/usage.ts";
export type { Verdict } from "./api/verdict.ts";
export type { WindowSpec } from "./api/window.ts";
export { Window } from "./api/window.ts";
export { MockClock } from "./clock/mock-clock.ts";
export { RealClock } from "./clock/real-clock.ts";
export {
  GrateLimiterError,
  InvalidConfig,
  NoAvailableProviders,
  UnknownCapability,
  UnknownProvider,
} from "./errors.ts";
export { GrateLimiter } from "./limiter.ts";
export { classifyResult } from "./run/classification/classify.ts";
export { parseRetryAfter } from "./run/classification/waits.ts";
export { PriorityScorer } from "./scoring/priority-scorer.ts";
export { WeightedScorer } from "./scoring/weighted-scorer.ts";
