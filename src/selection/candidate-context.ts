import type { ProviderScoreContext, QuotaState } from "../api/scoring-strategy.ts";
import type { Usage } from "../api/usage.ts";
import type { Provider } from "../provider/provider.ts";
import type { Quota } from "../quota/quota.ts";
import { type Demand, usageOf } from "../quota/usage-vector.ts";
import type { RequestSpec } from "./request-spec.ts";

/** Facts of one candidate that the scoring strategy reads. One object serves all candidates of all calls in sequence. */
export class CandidateContext implements ProviderScoreContext {
  capability!: string;
  maxPriority!: number;
  maxLatencyMs!: number;
  provider!: string;
  priority!: number;
  weight!: number;
  latencyMs!: number;
  quotaScore!: number;
  healthScore!: number;
  priorityScore!: number;
  latencyScore!: number;
  #request: RequestSpec | null = null;
  #now = 0;
  #candidate: Provider | null = null;
  #demand: Demand | null = null;

  /** Sets the request and the facts of the whole list. */
  setRequest(capability: string, request: RequestSpec, maxPriority: number, maxLatencyMs: number, now: number): void {
    this.capability = capability;
    this.#request = request;
    this.maxPriority = maxPriority;
    this.maxLatencyMs = maxLatencyMs;
    this.#now = now;
  }

  /** Sets the candidate. */
  setCandidate(
    candidate: Provider,
    priority: number,
    quotaScore: number,
    healthScore: number,
    demand: Demand | null,
  ): void {
    this.#candidate = candidate;
    this.#demand = demand;
    this.provider = candidate.name;
    this.priority = priority;
    this.weight = candidate.settings.weight;
    this.latencyMs = candidate.health.latencyMs ?? 0;
    this.quotaScore = quotaScore;
    this.healthScore = healthScore;
  }

  get demand(): Usage {
    return this.#demand === null ? {} : usageOf(this.#demand.amounts);
  }

  get quotas(): readonly QuotaState[] {
    const now = this.#now;
    return (this.#candidate?.quotas ?? []).map((quota) => ({
      dimension: quota.spec.dimension,
      window: quota.spec.window,
      pool: quota.pool,
      limit: quota.capacity,
      remaining: quota.remaining(now),
      inFlight: quota.reserved,
    }));
  }

  get quotaRemainingRatio(): number {
    return this.#minimum(1, (quota) => quota.ratio(this.#now));
  }

  get predictedExhaustionSeconds(): number {
    return this.#minimum(Infinity, (quota) => quota.exhaustedInMs(this.#now)) / 1_000;
  }

  get burnPerSecond(): number {
    return -this.#minimum(0, (quota) => -quota.burn.perSecond(this.#now)) + 0;
  }

  get inFlight(): number {
    return this.#candidate?.inFlight(this.#now) ?? 0;
  }

  get costMicroUsd(): number | null {
    return this.#request!.cost(this.#candidate?.settings.price ?? null);
  }

  #minimum(start: number, read: (quota: Quota) => number): number {
    let minimum = start;
    for (const quota of this.#candidate?.quotas ?? []) minimum = Math.min(minimum, read(quota));
    return minimum;
  }
}
