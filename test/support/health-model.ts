// The health rules of the default profile in their simplest form, as a model for the limiter.
// Two rules are ambiguous. The model assumes: an observation during a cooldown changes only score and latency, not the
// streaks and the last cooldown; a stated wait replaces the computed one; an extended cooldown counts from the call
// that extended it.
import type { HealthOptions, StatusClass } from "../../src/index.ts";

export type Settings = Required<{ [K in keyof HealthOptions]: number }>;

/** The defaults, as the documentation states them. */
export const DEFAULTS: Settings = {
  decayHalfLifeSeconds: 300,
  penalty429: 0.25,
  penalty403: 0.5,
  penalty5xx: 0.1,
  penaltyTimeout: 0.2,
  boostSuccess: 0.02,
  cooldownTriggerCount: 3,
  cooldownMultiplier: 2,
  maxCooldownSeconds: 600,
  recoveredHealth: 0.9,
  ewmaAlpha: 0.3,
  cooldownThreshold: 0,
};

export interface ReportedOutcome {
  status: StatusClass;
  latencyMs?: number | undefined;
  retryAfterMs?: number | undefined;
}

export type ModelEvent =
  | { event: "cooldownStarted"; status: StatusClass; durationMs: number }
  | { event: "cooldownEnded" | "providerDead" | "providerRevived" };

const HOURS_48 = 48 * 3_600_000;

export class HealthModel {
  readonly settings: Settings;
  readonly cooldownSeconds: number;
  readonly minimum: number;
  readonly events: ModelEvent[] = [];
  cooldownsTriggered = 0;
  latencyMs: number | null = null;
  #score = 1;
  #scoredAt = 0;
  #streaks = { limits: 0, failures: 0 };
  #cooldownEnd: number | null = null;
  #endIsDue = false;
  #cooldownStart = 0;
  #lastCooldownMs = 0;
  #onTrial = false;
  #dead = false;

  constructor(settings: Settings, cooldownSeconds: number, minimum: number) {
    this.settings = settings;
    this.cooldownSeconds = cooldownSeconds;
    this.minimum = minimum;
  }

  /** Every public call that reads the provider emits the end of a completed cooldown. */
  read(now: number): void {
    if (!this.#endIsDue || this.cooldownMs(now) > 0) return;
    this.#endIsDue = false;
    this.events.push({ event: "cooldownEnded" });
  }

  health(now: number): number {
    const halfLives = (now - this.#scoredAt) / 1_000 / this.settings.decayHalfLifeSeconds;
    return this.settings.decayHalfLifeSeconds === 0 ? this.#score : 1 - (1 - this.#score) * 0.5 ** halfLives;
  }

  cooldownMs(now: number): number {
    return this.#cooldownEnd === null ? 0 : Math.max(0, this.#cooldownEnd - now);
  }

  state(now: number): "dead" | "cooldown" | "trial" | "unhealthy" | "available" {
    if (this.#dead) return "dead";
    if (this.cooldownMs(now) > 0) return "cooldown";
    if (this.#onTrial) return "trial";
    return this.health(now) < this.minimum ? "unhealthy" : "available";
  }

  isEligible(now: number): boolean {
    return this.state(now) === "trial" || this.state(now) === "available";
  }

  observe({ status, latencyMs, retryAfterMs = 0 }: ReportedOutcome, now: number): void {
    this.read(now);
    if (status === "cancelled") return;
    if (status === "unauthorized") {
      if (!this.#dead) this.events.push({ event: "providerDead" });
      this.#dead = true;
      return;
    }
    const inCooldown = this.cooldownMs(now) > 0;
    const health = this.health(now);
    this.#scoredAt = now;
    if (status === "success" || status === "client_error") {
      this.#score = Math.min(1, health + this.settings.boostSuccess);
      const { ewmaAlpha } = this.settings;
      if (latencyMs !== undefined) {
        this.latencyMs = this.latencyMs === null ? latencyMs : ewmaAlpha * latencyMs + (1 - ewmaAlpha) * this.latencyMs;
      }
      if (!inCooldown) this.#succeeded();
      return;
    }
    this.#score = Math.max(0, health - this.#penalty(status));
    const asked = Math.min(retryAfterMs, HOURS_48);
    if (inCooldown) {
      if (asked > this.cooldownMs(now)) this.#startCooldown(status, asked, now);
      return;
    }
    const isLimit = status === "rate_limited" || status === "quota_exhausted";
    const streak = isLimit ? ++this.#streaks.limits : ++this.#streaks.failures;
    const duration = asked > 0 ? asked : this.#ownDuration(status, streak);
    this.#onTrial = false;
    if (duration > 0) this.#startCooldown(status, duration, now);
  }

  revive(now: number): void {
    if (this.#endIsDue) this.events.push({ event: "cooldownEnded" });
    if (this.#dead) this.events.push({ event: "providerRevived" });
    this.#score = 1;
    this.#scoredAt = now;
    this.#cooldownEnd = null;
    this.#endIsDue = false;
    this.#dead = false;
    this.#succeeded();
  }

  upsert(now: number): void {
    this.read(now);
    if (this.#dead) this.events.push({ event: "providerRevived" });
    this.#dead = false;
  }

  #succeeded(): void {
    if (this.#onTrial) this.#score = Math.max(this.#score, this.settings.recoveredHealth);
    this.#onTrial = false;
    this.#streaks = { limits: 0, failures: 0 };
    this.#lastCooldownMs = 0;
  }

  #penalty(status: StatusClass): number {
    if (status === "rate_limited" || status === "quota_exhausted") return this.settings.penalty429;
    if (status === "forbidden") return this.settings.penalty403;
    return status === "timeout" ? this.settings.penaltyTimeout : this.settings.penalty5xx;
  }

  #ownDuration(status: StatusClass, streak: number): number {
    const { cooldownTriggerCount, cooldownMultiplier, maxCooldownSeconds, cooldownThreshold } = this.settings;
    const capped = (ms: number) => Math.min(ms, maxCooldownSeconds * 1_000);
    const first = this.cooldownSeconds * 1_000;
    if (this.#onTrial) return capped(Math.max(first, cooldownMultiplier * this.#lastCooldownMs));
    if (streak >= cooldownTriggerCount) return capped(first * cooldownMultiplier ** (streak - cooldownTriggerCount));
    return status === "quota_exhausted" || this.#score < cooldownThreshold ? capped(first) : 0;
  }

  #startCooldown(status: StatusClass, durationMs: number, now: number): void {
    if (this.cooldownMs(now) === 0) this.cooldownsTriggered++;
    // The length of an extended cooldown is the time from its start to its end.
    if (this.cooldownMs(now) === 0) this.#cooldownStart = now;
    this.#cooldownEnd = now + durationMs;
    this.#lastCooldownMs = this.#cooldownEnd - this.#cooldownStart;
    this.#onTrial = true;
    this.#endIsDue = true;
    this.events.push({ event: "cooldownStarted", status, durationMs });
  }
}
