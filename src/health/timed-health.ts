// Health that heals with time, whether anybody looks or not, and cooldowns that end in a trial.
//
//   score(t) = 1 - (1 - score(t0)) x 0.5^((t - t0) / half-life)       t0: the last outcome
//   failure:  score -= penalty, at least 0;   success: score += boost, at most 1
//   cooldown = cooldownSeconds x multiplier^(streak - trigger), at most maxCooldownSeconds, from `trigger` failures of
//              one kind in a row on; or what the provider asked for, at most 48 h
//
// Regimes: (1) available: outcomes move the score; rate limits and other failures have a streak each, which a success
// ends. (2) cooldown: outcomes move the score alone; only a later retryAfterMs lengthens it. (3) trial: a served
// cooldown earns the provider one chance, scored as healthy: a success lifts the score to recoveredHealth, a failure
// starts a cooldown of multiplier x the last. Outcomes of requests from before the cooldown's end decide nothing.

import { firstInstant } from "../clock/first-instant.ts";
import { HEALTH_EFFECTS, type Health, type HealthState, type Outcome } from "./health.ts";
import type { HealthSettings } from "./health-settings.ts";

const LONGEST_ASKED_MS = 48 * 3_600_000;
const NEVER = -Infinity;

/** Health of the anticipatory profile. */
export class TimedHealth implements Health {
  cooldownUntil: number = NEVER;
  isDead = false;
  readonly #settings: HealthSettings;
  #score = 1;
  #at: number;
  // What was read last, and when.
  #healed = 1;
  #healedAt = NaN;
  /** NaN: none is known. */
  #latencyMs = NaN;
  #rateLimits = 0;
  #failures = 0;
  #cooldownFrom = NEVER;
  #lastCooldownMs = 0;
  #isTrialDue = false;

  constructor(settings: HealthSettings, now: number) {
    this.#settings = settings;
    this.#at = now;
  }

  get latencyMs(): number | null {
    return Number.isNaN(this.#latencyMs) ? null : this.#latencyMs;
  }

  score(now: number): number {
    if (this.#score === 1 || now <= this.#at) return this.#score;
    if (now !== this.#healedAt) {
      const halfLifeMs = this.#settings.decayHalfLifeSeconds * 1_000;
      this.#healed =
        halfLifeMs === 0 ? this.#score : 1 - (1 - this.#score) * Math.exp(((this.#at - now) * Math.LN2) / halfLifeMs);
      this.#healedAt = now;
    }
    return this.#healed;
  }

  state(now: number, minimum: number): HealthState {
    if (this.isDead) return "dead";
    if (now < this.cooldownUntil) return "cooldown";
    if (this.#isTrialDue) return "trial";
    return minimum > 0 && this.score(now) < minimum ? "unhealthy" : "available";
  }

  healsInMs(minimum: number, now: number): number {
    const score = this.score(now);
    if (score >= minimum) return 0;
    const halfLifeMs = this.#settings.decayHalfLifeSeconds * 1_000;
    if (halfLifeMs === 0) return Infinity;
    // What is less than half an epsilon below 1 is 1.
    const healed = now + halfLifeMs * Math.log2((1 - score) / Math.max(1 - minimum, Number.EPSILON / 4));
    return firstInstant(healed, (at) => this.score(at) >= minimum) - now;
  }

  steadyUntil(now: number): number {
    if (now < this.cooldownUntil && !this.isDead) return this.cooldownUntil;
    const isSteady = this.isDead || this.#isTrialDue || this.#score === 1;
    return isSteady ? Infinity : -Infinity;
  }

  observe(outcome: Outcome, grantedAt: number, cooldownSeconds: number, now: number): boolean {
    const { kind, penalty } = HEALTH_EFFECTS[outcome.status];
    if (kind === "nothing") return false;
    if (kind === "death") {
      this.isDead = true;
      return false;
    }
    this.#score = this.score(now);
    this.#at = Math.max(this.#at, now);
    this.#healedAt = NaN;
    // Whether the outcome is one of the cooldown itself: then it teaches the score, and decides nothing.
    const isOld = grantedAt < this.cooldownUntil;
    this.#score = Math.max(0, this.#score - (penalty === null ? 0 : this.#settings[penalty]));
    if (penalty === null) return this.#succeed(outcome.latencyMs, isOld);
    this.#fail(outcome, kind === "rate_limit", cooldownSeconds, isOld, now);
    return false;
  }

  revive(now: number): void {
    this.#score = 1;
    this.#at = now;
    this.#rateLimits = 0;
    this.#failures = 0;
    this.cooldownUntil = NEVER;
    this.#lastCooldownMs = 0;
    this.#isTrialDue = false;
    this.isDead = false;
  }

  clearDead(): boolean {
    const wasDead = this.isDead;
    this.isDead = false;
    return wasDead;
  }

  #succeed(latencyMs: number | null, isOld: boolean): boolean {
    this.#score = Math.min(1, this.#score + this.#settings.boostSuccess);
    if (latencyMs !== null) {
      const weight = this.#settings.ewmaAlpha;
      this.#latencyMs = Number.isNaN(this.#latencyMs) ? latencyMs : weight * latencyMs + (1 - weight) * this.#latencyMs;
    }
    if (isOld) return false;
    const hasRecovered = this.#isTrialDue && !this.isDead;
    if (this.#isTrialDue) this.#score = Math.max(this.#score, this.#settings.recoveredHealth);
    this.#isTrialDue = false;
    this.#rateLimits = 0;
    this.#failures = 0;
    this.#lastCooldownMs = 0;
    return hasRecovered;
  }

  #fail(outcome: Outcome, isRateLimit: boolean, cooldownSeconds: number, isOld: boolean, now: number): void {
    const askedMs = Math.min(outcome.retryAfterMs ?? 0, LONGEST_ASKED_MS);
    if (isOld) {
      if (askedMs > 0 && now + askedMs > this.cooldownUntil) this.#startCooldown(askedMs, now);
      return;
    }
    const streak = isRateLimit ? ++this.#rateLimits : ++this.#failures;
    const cooldownMs = askedMs > 0 ? askedMs : this.#cooldownMs(outcome, streak, cooldownSeconds, now);
    this.#isTrialDue = false;
    if (cooldownMs > 0) this.#startCooldown(cooldownMs, now);
  }

  /** How long a failure that comes with no word of the provider's keeps it away; 0: not at all. */
  #cooldownMs(outcome: Outcome, streak: number, cooldownSeconds: number, now: number): number {
    const { cooldownTriggerCount, cooldownMultiplier, cooldownThreshold } = this.#settings;
    const isExhausted = outcome.status === "quota_exhausted";
    if (isExhausted && outcome.knownResetAt !== null) {
      return Math.max(0, outcome.knownResetAt - now);
    }
    const firstMs = cooldownSeconds * 1_000;
    if (this.#isTrialDue) return this.#capped(Math.max(firstMs, cooldownMultiplier * this.#lastCooldownMs));
    if (streak >= cooldownTriggerCount || isExhausted) {
      const growth = cooldownMultiplier ** Math.max(0, streak - cooldownTriggerCount);
      return this.#capped(firstMs * Math.min(growth, Number.MAX_VALUE));
    }
    return this.#score < cooldownThreshold ? this.#capped(firstMs) : 0;
  }

  #capped(ms: number): number {
    return Math.min(ms, this.#settings.maxCooldownSeconds * 1_000, Number.MAX_SAFE_INTEGER);
  }

  #startCooldown(ms: number, now: number): void {
    // One that is lengthened counts from its start.
    if (now >= this.cooldownUntil) this.#cooldownFrom = now;
    this.cooldownUntil = now + ms;
    this.#lastCooldownMs = this.cooldownUntil - this.#cooldownFrom;
    this.#isTrialDue = true;
  }
}
