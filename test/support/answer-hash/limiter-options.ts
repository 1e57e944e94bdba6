import {
  type GrateLimiterOptions,
  PriorityScorer,
  type ProviderScoreContext,
  type ScoringStrategy,
  WeightedScorer,
} from "../../../src/index.ts";
import type { Configs } from "./configs.ts";
import { Random } from "./random.ts";
import { ScriptedError } from "./scripted-error.ts";

/** A custom strategy reads every fact, but its score does not depend on burn: that would hide the rest of the answer. */
export class RecordingStrategy implements ScoringStrategy {
  /** Facts of each provider, as they were when it was last scored. */
  readonly facts = new Map<string, object>();
  readonly #isStrict: boolean;

  /** A strict one throws for providers with many leases, so that errors of strategies are covered, too. */
  constructor(isStrict: boolean) {
    this.#isStrict = isStrict;
  }

  score(context: ProviderScoreContext): number {
    const { quotaRemainingRatio, inFlight, costMicroUsd, latencyMs, maxLatencyMs, weight } = context;
    const { priority, maxPriority, healthScore, burnPerSecond, predictedExhaustionSeconds } = context;
    if (this.#isStrict && inFlight >= 5) throw new ScriptedError("strategy");
    this.facts.set(context.provider, { burnPerSecond, predictedExhaustionSeconds });
    const cost = costMicroUsd === null ? 0.5 : 1 / (1 + costMicroUsd / 1_000);
    const latency = maxLatencyMs === 0 ? 1 : 1 - latencyMs / maxLatencyMs;
    const preference = maxPriority === 0 ? 0 : priority / maxPriority;
    return (quotaRemainingRatio + healthScore + cost + latency + preference - inFlight / 8) * weight;
  }
}

/** Random options of one limiter. */
export function limiterOptions(configs: Configs): Omit<GrateLimiterOptions, "clock"> {
  const { random, paceMs } = configs;
  const own = new Random(random.next());
  const common = {
    providers: configs.providers.map((name) => configs.provider(name)),
    capabilities: Object.fromEntries(configs.capabilities.map((name) => [name, configs.listed()])),
    scoring: scoring(random),
    health: random.maybe(85, () => configs.health()),
    minimumHealthScore: random.maybe(40, () => random.int(0, 6) / 10),
    defaultCooldownSeconds: random.maybe(60, () => (paceMs * random.int(1, 20)) / 1_000),
    random: () => own.fraction(),
  };
  if (configs.isClassic) return { ...common, profile: "classic" };
  return {
    ...common,
    pools: Object.fromEntries(configs.pools.map((name) => [name, configs.pool()])),
    spread: random.pick(["score", "headroom", undefined] as const),
    skewCapMs: random.pick([0, 1_000, Infinity, undefined, 30]),
    leaseTimeoutMs: random.maybe(85, () => paceMs * random.int(4, 30)),
    maxWaiting: random.maybe(25, () => random.int(0, 9)),
    retryBudget: random.maybe(30, () => ({ ratio: random.int(0, 5) / 10, perMinute: random.int(0, 6) })),
    defaults: random.maybe(50, () => ({
      maxWaitMs: random.maybe(80, () => paceMs * random.int(0, 40)),
      timeoutMs: random.maybe(20, () => paceMs * random.int(2, 40)),
      attemptTimeoutMs: random.maybe(20, () => paceMs * random.int(1, 10)),
      maxAttempts: random.maybe(20, () => random.int(1, 4)),
      idempotent: random.maybe(20, () => random.chance(50)),
    })),
  };
}

function scoring(random: Random): GrateLimiterOptions["scoring"] {
  return random.weighted<() => GrateLimiterOptions["scoring"]>([
    [7, () => undefined],
    [4, () => ({ quota: random.int(0, 5), health: random.int(0, 5), priority: 1, latency: random.maybe(50, () => 1) })],
    [2, () => new WeightedScorer({ latency: random.int(0, 3) })],
    [2, () => new PriorityScorer()],
    [2, () => new PriorityScorer(new WeightedScorer())],
    [3, () => new RecordingStrategy(false)],
    [1, () => new RecordingStrategy(true)],
  ])();
}
