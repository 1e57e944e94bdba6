// Health and cooldown of the Rust and Python packages, in Python's arithmetic.
//
//   at every outcome:  score = 1 - (1 - score) x 0.5^(elapsed / half-life), then - penalty or + boost, within 0..1
//   latency:           the sample if it is the very first outcome, else 0.3 sample + 0.7 latency (successes only)
//   cooldown:          from the `trigger`-th failure in a row on,
//                      min(floor(cooldownSeconds x multiplier^(streak - trigger)), max)
//
// Regimes: health recovers only at outcomes, not with time alone. A provider below the minimum that gets no requests remains
// there. All failures share one streak. Every further failure restarts the cooldown, even during a cooldown.
// Source: the behaviour of grate-limiter 0.1.1 for Python.
import {
  type CooldownTerms,
  HEALTH_EFFECTS,
  type Health,
  type HealthChange,
  type HealthState,
  type Outcome,
} from "../health/health.ts";
import type { HealthSettings } from "../health/health-settings.ts";

/** Health of the classic profile. */
export class ClassicHealth implements Health {
  readonly #settings: HealthSettings;
  #score = 1;
  #decayedAt: number;
  #latencyMs = 0;
  #outcomes = 0;
  #streak = 0;
  #cooldownUntil = -Infinity;

  constructor(settings: HealthSettings, now: number) {
    this.#settings = settings;
    this.#decayedAt = now;
  }

  get latencyMs(): number | null {
    return this.#latencyMs === 0 ? null : this.#latencyMs;
  }

  readonly statedUntil: number = -Infinity;

  get cooldownUntil(): number {
    return this.#cooldownUntil;
  }

  opensAt(): number {
    return this.#cooldownUntil;
  }

  get isDead(): boolean {
    return false;
  }

  score(): number {
    return this.#score;
  }

  state(now: number, minimum: number): HealthState {
    if (now < this.#cooldownUntil) return "cooldown";
    return this.#score < minimum ? "unhealthy" : "available";
  }

  healsInMs(minimum: number): number {
    return this.#score >= minimum ? 0 : Infinity;
  }

  unchangedUntil(now: number): number {
    return now < this.#cooldownUntil ? this.#cooldownUntil : Infinity;
  }

  observe(outcome: Outcome, _grantedAt: number, { cooldownSeconds }: CooldownTerms, now: number): HealthChange {
    const cooldownUntil = this.#cooldownUntil;
    this.#decay(now);
    this.#outcomes++;
    this.#decayedAt = Math.max(this.#decayedAt, now);
    const { penalty } = HEALTH_EFFECTS[outcome.status];
    if (penalty === null) this.#succeed(outcome.latencyMs ?? 0);
    else this.#fail(this.#settings[penalty], cooldownSeconds, now);
    const leftMs = Math.max(0, cooldownUntil - now);
    if (this.#cooldownUntil - now <= leftMs) return "nothing";
    return leftMs > 0 ? "lengthened" : "cooldown";
  }

  revive(now: number): void {
    this.#score = 1;
    this.#decayedAt = now;
    this.#streak = 0;
    this.#cooldownUntil = -Infinity;
  }

  clearDead(): boolean {
    return false;
  }

  #decay(now: number): void {
    const elapsedSeconds = (now - this.#decayedAt) / 1_000;
    const halfLife = this.#settings.decayHalfLifeSeconds;
    if (elapsedSeconds <= 0 || halfLife <= 0) return;
    this.#score = 1 - (1 - this.#score) * 0.5 ** (elapsedSeconds / halfLife);
  }

  #succeed(latencyMs: number): void {
    this.#score = Math.min(this.#score + this.#settings.boostSuccess, 1);
    this.#streak = 0;
    this.#latencyMs = this.#outcomes <= 1 ? latencyMs : 0.3 * latencyMs + (1 - 0.3) * this.#latencyMs;
  }

  #fail(penalty: number, cooldownSeconds: number, now: number): void {
    const { cooldownTriggerCount, cooldownMultiplier, maxCooldownSeconds } = this.#settings;
    this.#score = Math.max(this.#score - penalty, 0);
    this.#streak++;
    if (this.#streak < cooldownTriggerCount) return;
    const growth = power(cooldownMultiplier, this.#streak - cooldownTriggerCount);
    const seconds = Math.min(Math.floor(cooldownSeconds * growth), maxCooldownSeconds);
    this.#cooldownUntil = now + Math.min(seconds * 1_000, Number.MAX_SAFE_INTEGER);
  }
}

/**
 * Returns `base ** exponent`, finite, and rounded once as in C. The operator `**` of JavaScript engines can be wrong in the
 * last bit, and the floor of a product would make that visible. Exact up to an exponent of 64; above it cooldowns have
 * reached their maximum long ago.
 */
function power(base: number, exponent: number): number {
  const rough = Math.min(base ** exponent, Number.MAX_VALUE);
  if (exponent > 64 || rough > Number.MAX_SAFE_INTEGER) return rough;
  let whole = base;
  let halvings = 0;
  for (; !Number.isInteger(whole); halvings++) whole *= 2;
  const exact = BigInt(whole) ** BigInt(exponent);
  // In units of 2^-128. The bits that are cut off would matter only after so many bits of 0 that it never happens.
  return Number((exact << 128n) >> BigInt(halvings * exponent)) / 2 ** 128;
}
