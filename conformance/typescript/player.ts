import {
  Dimension,
  GrateLimiter,
  GrateLimiterError,
  type HealthOptions,
  MockClock,
  type ProviderConfig,
} from "grate-limiter";
import type { Answer, Fixture, FixtureConfig, FixtureProvider, ObserveStep, ProviderProbe, Step } from "./fixture.ts";

/** Health options of this package, by their names in the format. */
const HEALTH_OPTIONS: { readonly [option: string]: keyof HealthOptions } = {
  decay_half_life_seconds: "decayHalfLifeSeconds",
  penalty_429: "penalty429",
  penalty_403: "penalty403",
  penalty_5xx: "penalty5xx",
  penalty_timeout: "penaltyTimeout",
  boost_success: "boostSuccess",
  cooldown_trigger_count: "cooldownTriggerCount",
  cooldown_multiplier: "cooldownMultiplier",
  max_cooldown_seconds: "maxCooldownSeconds",
};

/** Dimensions that a probe reads; the published engines have no others. */
const PROBED = [Dimension.Requests, Dimension.Tokens, Dimension.Concurrency, Dimension.CostUsd, Dimension.Bytes];

/** Plays steps on one limiter with one mock clock. */
export class Player {
  readonly #clock = new MockClock();
  readonly #limiter: GrateLimiter;
  readonly #registered = new Set<string>();

  constructor(fixture: Fixture, profile: "classic" | "anticipatory") {
    this.#limiter = new GrateLimiter({ profile, clock: this.#clock, ...optionsOf(fixture.config ?? {}) });
    for (const provider of fixture.providers ?? []) this.play({ action: "upsert_provider", ...provider });
    for (const capability of fixture.capabilities ?? []) this.play({ action: "upsert_capability", ...capability });
  }

  /** Plays a step and returns its full answer, in the format of all runners. */
  play(step: Step): Answer {
    try {
      return this.#answer(step);
    } catch (error) {
      if (GrateLimiterError.is(error)) return { error: error.code };
      throw error;
    }
  }

  #answer(step: Step): Answer {
    const limiter = this.#limiter;
    switch (step.action) {
      case "advance_time_ms":
        this.#clock.advanceMs(step.ms);
        return null;
      case "upsert_provider":
        limiter.upsertProvider(providerOf(step));
        this.#registered.add(step.name);
        return null;
      case "upsert_capability":
        limiter.upsertCapability({
          name: step.name,
          providers: step.providers.map(({ provider, priority }) => ({ provider, priority })),
        });
        return null;
      case "observe":
        return this.#observe(step);
      case "select": {
        const { provider, score, reasoning, alternatives } = limiter.select(step.capability);
        return {
          provider,
          score,
          breakdown: [reasoning.quotaScore, reasoning.healthScore, reasoning.priorityScore, reasoning.latencyScore],
          alternatives: alternatives.map((other) => [other.provider, other.score] as const),
        };
      }
      case "check_health":
        return limiter.providerHealth(step.provider);
      case "check_in_cooldown":
        return limiter.providerInCooldown(step.provider);
      case "check_remaining":
        return limiter.providerQuotaRemaining(step.provider, step.dimension);
      case "check_metrics": {
        const { selects, observations, cooldownsTriggered, noProviderAvailable } = limiter.metrics;
        return {
          selects,
          observations,
          cooldowns_triggered: cooldownsTriggered,
          no_provider_available: noProviderAvailable,
        };
      }
      case "probe":
        return [...this.#registered].map((name) => this.#probe(name));
    }
  }

  #observe(step: ObserveStep): Answer {
    this.#limiter.observe({
      provider: step.provider,
      capability: step.capability,
      usage: {
        requests: step.requests ?? 0,
        tokens: step.tokens,
        inputTokens: step.input_tokens,
        outputTokens: step.output_tokens,
        bytes: step.bytes,
        costMicroUsd: step.cost_micro_usd,
      },
      outcome: { status: step.status, latencyMs: step.latency_ms },
    });
    return {};
  }

  #probe(name: string): ProviderProbe {
    const remaining = PROBED.map(
      (dimension) => [dimension, this.#limiter.providerQuotaRemaining(name, dimension)] as const,
    );
    return {
      provider: name,
      health: this.#limiter.providerHealth(name),
      in_cooldown: this.#limiter.providerInCooldown(name),
      remaining: Object.fromEntries(remaining),
    };
  }
}

function optionsOf(config: FixtureConfig) {
  const health = Object.entries(config.health ?? {}).flatMap(([option, value]) => {
    const known = HEALTH_OPTIONS[option];
    return known === undefined ? [] : [[known, value] as const];
  });
  return {
    scoring: config.scoring,
    health: Object.fromEntries(health),
    minimumHealthScore: config.minimum_health_score,
    defaultCooldownSeconds: config.default_cooldown_seconds,
  };
}

function providerOf(provider: FixtureProvider): ProviderConfig {
  const quotas = (provider.quotas ?? []).map(({ dimension, limit, window }) =>
    window ? { dimension, limit, window } : { dimension, limit },
  );
  return {
    name: provider.name,
    // A quota without a window is valid in the classic profile only, and the types do not allow it.
    quotas: quotas as ProviderConfig["quotas"],
    priority: provider.priority,
    weight: provider.weight,
    cooldownSeconds: provider.cooldown_seconds,
  };
}
