export type { Lease, Settlement } from "./admission/lease.ts";
export type { Clock } from "./clock/clock.ts";
export { MockClock } from "./clock/mock-clock.ts";
export { RealClock } from "./clock/real-clock.ts";
export { Dimension } from "./config/dimension.ts";
export type {
  CapabilityConfig,
  CapabilityProvider,
  GrateLimiterOptions,
  HealthOptions,
  Limits,
  PoolConfig,
  Price,
  ProviderConfig,
  ProviderPatch,
  QuotaConfig,
  ScoringWeights,
  Snapshot,
} from "./config/options.ts";
export { StatusClass } from "./config/status-class.ts";
export type { Usage } from "./config/usage.ts";
export { Window, type WindowSpec } from "./config/window.ts";
export {
  GrateLimiterError,
  InvalidConfig,
  NoAvailableProviders,
  UnknownCapability,
  UnknownProvider,
} from "./errors.ts";
export type { LimiterEvents } from "./events.ts";
export type { QuotaForecast } from "./forecast/quota-forecast.ts";
export { GrateLimiter } from "./grate-limiter.ts";
export type { Inspection, ProviderInspection } from "./inspect.ts";
export type { Metrics } from "./metrics.ts";
export type { Observation, Outcome, ReportedQuota } from "./observation/observation.ts";
export type { Attempt } from "./run/attempt.ts";
export type { MapResult } from "./run/map.ts";
export type {
  AcquireOptions,
  MapOptions,
  RunDefaults,
  RunOptions,
  StreamOptions,
  TaskResult,
} from "./run/run-options.ts";
export type { RunResult } from "./run/run-result.ts";
export type { TaskContext } from "./run/task-context.ts";
export { PriorityScorer } from "./scoring/priority-scorer.ts";
export type { ProviderScoreContext, ScoreBreakdown, ScoringStrategy } from "./scoring/scoring-strategy.ts";
export { WeightedScorer } from "./scoring/weighted-scorer.ts";
export type { Alternative, Decision } from "./selection/decision.ts";
export type { Refusal, RefusalReason } from "./selection/refusal.ts";
export type { SelectOptions } from "./selection/request.ts";
