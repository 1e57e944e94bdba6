import type { Answer, Fixture, FixtureProvider, ObserveStep, SelectAnswer, Step } from "../typescript/fixture.ts";
import { DIMENSIONS } from "./declarations.ts";
import { ExactBucket } from "./exact-bucket.ts";

const PENALTIES: { readonly [status: string]: readonly [option: string, byDefault: number] } = {
  rate_limited: ["penalty_429", 0.25],
  forbidden: ["penalty_403", 0.5],
  server_error: ["penalty_5xx", 0.1],
  timeout: ["penalty_timeout", 0.2],
};

const AMOUNTS: { readonly [dimension: string]: "requests" | "tokens" | "bytes" | "cost_micro_usd" } = {
  requests: "requests",
  tokens: "tokens",
  bytes: "bytes",
  cost_usd: "cost_micro_usd",
};

/** Exact values of one provider that the published engines might see on different sides of a threshold. */
export interface ExactProvider {
  buckets: readonly { readonly dimension: string; readonly bucket: ExactBucket }[];
  health: number;
  /** True if the length of its last cooldown was a whole number of seconds, except for rounding. */
  hasDoubtfulCooldown: boolean;
  cooldownSeconds: number;
  streak: number;
  observedAt: number;
}

/** State of a scenario in exact arithmetic. It follows the answers of one engine if the arithmetic does not decide. */
export class ExactState {
  readonly providers: Map<string, ExactProvider> = new Map();
  readonly minimumHealth: number;
  readonly #capabilities = new Map<string, { readonly providers: readonly { readonly priority: number }[] }>();
  readonly #health: { readonly [option: string]: number };
  #now = 0;

  constructor(scenario: Fixture) {
    this.#health = scenario.config?.health ?? {};
    this.minimumHealth = scenario.config?.minimum_health_score ?? 0.2;
    for (const provider of scenario.providers ?? []) this.#upsert(provider);
    for (const capability of scenario.capabilities ?? []) this.#capabilities.set(capability.name, capability);
  }

  get now(): number {
    return this.#now;
  }

  /** True if the capability has providers, all of priority 0. */
  isAllZero(capability: string): boolean {
    const providers = this.#capabilities.get(capability)?.providers ?? [];
    return providers.length > 0 && providers.every(({ priority }) => priority === 0);
  }

  /** Updates the state by a step and its answer. The answer of a select shows the eligible providers. */
  play(step: Step, answer: Answer): void {
    switch (step.action) {
      case "advance_time_ms":
        this.#now += step.ms;
        break;
      case "upsert_provider":
        this.#upsert(step);
        break;
      case "upsert_capability":
        this.#capabilities.set(step.name, step);
        break;
      case "observe":
        this.#observe(step);
        break;
      case "select":
        for (const name of eligibleOf(answer)) {
          for (const { bucket } of this.providers.get(name)?.buckets ?? []) bucket.refill(this.#now);
        }
        break;
      case "check_remaining":
        this.#read(step.provider, step.dimension);
        break;
      case "probe":
        for (const name of this.providers.keys()) for (const dimension of DIMENSIONS) this.#read(name, dimension);
    }
  }

  #upsert({ name, quotas = [], cooldown_seconds: cooldownSeconds = 60 }: FixtureProvider): void {
    const buckets = quotas
      .filter(({ dimension }) => dimension !== "concurrency")
      .map((quota) => ({ dimension: quota.dimension, bucket: new ExactBucket(quota, this.#now) }));
    const known = this.providers.get(name);
    if (known !== undefined) Object.assign(known, { buckets, cooldownSeconds });
    else {
      const fresh = { health: 1, hasDoubtfulCooldown: false, streak: 0, observedAt: this.#now };
      this.providers.set(name, { buckets, cooldownSeconds, ...fresh });
    }
  }

  #observe(step: ObserveStep): void {
    const provider = this.providers.get(step.provider);
    if (provider === undefined) return;
    for (const { dimension, bucket } of provider.buckets) bucket.record(step[AMOUNTS[dimension]!] ?? 0, this.#now);
    const { decay_half_life_seconds: halfLife = 300, boost_success: boost = 0.02 } = this.#health;
    const elapsedSeconds = (this.#now - provider.observedAt) / 1_000;
    provider.observedAt = this.#now;
    if (elapsedSeconds > 0 && halfLife > 0) {
      provider.health = 1 - (1 - provider.health) * 0.5 ** (elapsedSeconds / halfLife);
    }
    const penalty = PENALTIES[step.status];
    if (penalty === undefined) {
      provider.health = Math.min(1, provider.health + boost);
      provider.streak = 0;
    } else {
      const [option, byDefault] = penalty;
      provider.health = Math.max(0, provider.health - (this.#health[option] ?? byDefault));
      provider.streak++;
      this.#coolDown(provider);
    }
  }

  #coolDown(provider: ExactProvider): void {
    const { cooldown_trigger_count: trigger = 3, cooldown_multiplier: multiplier = 2 } = this.#health;
    const growths = provider.streak - trigger;
    if (growths < 0) return;
    const seconds = provider.cooldownSeconds * multiplier ** growths;
    // Powers of a multiple of 1/1024 are exact in both engines.
    const isRounded = !Number.isInteger(multiplier * 1_024);
    provider.hasDoubtfulCooldown =
      isRounded && growths > 1 && Math.abs(seconds - Math.round(seconds)) <= 1e-9 * seconds;
  }

  /** Refills the first quota of a dimension, because the engines read only that one. */
  #read(name: string, dimension: string): void {
    const first = this.providers.get(name)?.buckets.find((quota) => quota.dimension === dimension);
    first?.bucket.refill(this.#now);
  }
}

/** Providers that a selection ranked; empty if it failed. */
export function eligibleOf(answer: Answer): string[] {
  if (answer === null || typeof answer !== "object" || !("alternatives" in answer)) return [];
  const { provider, alternatives } = answer as SelectAnswer;
  return [provider, ...alternatives.map(([name]) => name)];
}
