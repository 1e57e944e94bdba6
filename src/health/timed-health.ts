// Health that recovers with time, independent of reads, and cooldowns that end in a trial (half-open).
//
//   score(t) = 1 - (1 - score(t0)) x 0.5^((t - t0) / half-life)       t0: instant of the last outcome
//   failure:  score -= penalty, at least 0;   success: score += boost, at most 1
//   cooldown = cooldownSeconds x multiplier^(streak - trigger), at most maxCooldownSeconds, from the `trigger`-th failure
//              of one kind in a row on; or the time that the provider asked for, at most 48 h
//
// Regimes: (1) Available: outcomes change the score. Rate limits and other failures have a streak each, and a success ends
// both. (2) Cooldown: outcomes change only the score. Only a retryAfterMs that ends later lengthens the cooldown. (3) Trial:
// after the cooldown the provider gets one request, and is scored as healthy. A success raises the score to at least
// recoveredHealth. A failure starts a cooldown of multiplier x the last one. Outcomes of requests that were granted before
// the end of the cooldown change only the score.

import { firstInstant } from "../clock/first-instant.ts";
import { HEALTH_EFFECTS, type Health, type HealthState, type Outcome } from "./health.ts";
import type { HealthSettings } from "./health-settings.ts";

const MAX_RETRY_AFTER_MS = 48 * 3_600_000;
const NEVER = -Infinity;

/** Health of the anticipatory profile. */
export class TimedHealth implements Health {
  cooldownUntil: number = NEVER;
  isDead = false;
  readonly #settings: HealthSettings;
  #score = 1;
  #scoredAt: number;
  // Cached score, and the instant for which it is valid.
  #healed = 1;
  #healedAt = NaN;
  /** Mean latency (ms); NaN: unknown. */
  #latencyMs = NaN;
  #rateLimits = 0;
  #failures = 0;
  #cooldownFrom = NEVER;
  #lastCooldownMs = 0;
  #isTrialDue = false;

  constructor(settings: HealthSettings, now: number) {
    this.#settings = settings;
    this.#scoredAt = now;
  }

  get latencyMs(): number | null {
    return Number.isNaN(this.#latencyMs) ? null : this.#latencyMs;
  }

  score(now: number): number {
    if (this.#score === 1 || now <= this.#scoredAt) return this.#score;
    if (now !== this.#healedAt) {
      const halfLifeMs = this.#settings.decayHalfLifeSeconds * 1_000;
      this.#healed =
        halfLifeMs === 0
          ? this.#score
          : 1 - (1 - this.#score) * Math.exp(((this.#scoredAt - now) * Math.LN2) / halfLifeMs);
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
    // A score less than EPSILON / 4 below 1 rounds to 1, so even a minimum of 1 is reached.
    const healed = now + halfLifeMs * Math.log2((1 - score) / Math.max(1 - minimum, Number.EPSILON / 4));
    return firstInstant(healed, (at) => this.score(at) >= minimum) - now;
  }

  unchangedUntil(now: number): number {
    if (now < this.cooldownUntil && !this.isDead) return this.cooldownUntil;
    const isUnchanging = this.isDead || this.#isTrialDue || this.#score === 1;
    return isUnchanging ? Infinity : -Infinity;
  }

  observe(outcome: Outcome, grantedAt: number, cooldownSeconds: number, now: number): boolean {
    const { kind, penalty } = HEALTH_EFFECTS[outcome.status];
    if (kind === "nothing") return false;
    if (kind === "death") {
      this.isDead = true;
      return false;
    }
    this.#score = this.score(now);
    this.#scoredAt = Math.max(this.#scoredAt, now);
    this.#healedAt = NaN;
    // The outcome of a request from before the end of the cooldown changes only the score.
    const isStale = grantedAt < this.cooldownUntil;
    this.#score = Math.max(0, this.#score - (penalty === null ? 0 : this.#settings[penalty]));
    if (penalty === null) return this.#succeed(outcome.latencyMs, isStale);
    this.#fail(outcome, kind === "rate_limit", cooldownSeconds, isStale, now);
    return false;
  }

  revive(now: number): void {
    this.#score = 1;
    this.#scoredAt = now;
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

  #succeed(latencyMs: number | null, isStale: boolean): boolean {
    this.#score = Math.min(1, this.#score + this.#settings.boostSuccess);
    if (latencyMs !== null) {
      const weight = this.#settings.ewmaAlpha;
      this.#latencyMs = Number.isNaN(this.#latencyMs) ? latencyMs : weight * latencyMs + (1 - weight) * this.#latencyMs;
    }
    if (isStale) return false;
    const hasRecovered = this.#isTrialDue && !this.isDead;
    if (this.#isTrialDue) this.#score = Math.max(this.#score, this.#settings.recoveredHealth);
    this.#isTrialDue = false;
    this.#rateLimits = 0;
    this.#failures = 0;
    this.#lastCooldownMs = 0;
    return hasRecovered;
  }

  #fail(outcome: Outcome, isRateLimit: boolean, cooldownSeconds: number, isStale: boolean, now: number): void {
    const requestedMs = Math.min(outcome.retryAfterMs ?? 0, MAX_RETRY_AFTER_MS);
    if (isStale) {
      if (requestedMs > 0 && now + requestedMs > this.cooldownUntil) this.#startCooldown(requestedMs, now);
      return;
    }
    const streak = isRateLimit ? ++this.#rateLimits : ++this.#failures;
    const cooldownMs = requestedMs > 0 ? requestedMs : this.#cooldownMs(outcome, streak, cooldownSeconds, now);
    this.#isTrialDue = false;
    if (cooldownMs > 0) this.#startCooldown(cooldownMs, now);
  }

  /** Length of the cooldown (ms) after a failure for which the provider stated no retry time. 0: no cooldown. */
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
    // The length of a prolonged cooldown counts from its first start.
    if (now >= this.cooldownUntil) this.#cooldownFrom = now;
    this.cooldownUntil = now + ms;
    this.#lastCooldownMs = this.cooldownUntil - this.#cooldownFrom;
    this.#isTrialDue = true;
  }
}
