// The health rules of the default profile in their simplest form, as a model for the limiter. It keeps every outcome, and
// answers questions from that history.
// Three rules are ambiguous. The model assumes: a stated wait of a request from before the cooldown counts from its
// outcome, and restarts the cooldown; a failed trial in the middle of a longer stated wait does not shorten it; an
// observation began its latency ago.
import type { HealthOptions, StatusClass } from "../../src/index.ts";

type Optional = "cooldownTriggerCount" | "maxCooldownSeconds";
export type Settings = { [K in keyof HealthOptions]-?: K extends Optional ? number | undefined : number };

/** The defaults, as the documentation states them. */
export const DEFAULTS: Settings = {
  decayHalfLifeSeconds: 300,
  penalty429: 0.25,
  penalty403: 0.5,
  penalty5xx: 0.1,
  penaltyTimeout: 0.2,
  boostSuccess: 0.02,
  cooldownTriggerCount: undefined,
  cooldownMultiplier: 2,
  maxCooldownSeconds: undefined,
  recoveredHealth: 0.9,
  ewmaAlpha: 0.3,
  cooldownThreshold: 0,
  recheckDeadAfterMs: 600_000,
};

export interface ReportedOutcome {
  status: StatusClass;
  latencyMs?: number | undefined;
  retryAfterMs?: number | undefined;
}

export type ModelEvent =
  | { event: "cooldownStarted"; status: StatusClass; durationMs: number }
  | { event: "cooldownEnded" | "providerDead" | "providerRevived" };

const HOUR_MS = 3_600_000;
const LIMITS: readonly StatusClass[] = ["rate_limited", "quota_exhausted"];

interface Cooldown {
  since: number;
  until: number;
  /** Instant from which every request can be the trial, and from which a request without another provider can. */
  opensAt: number;
  probeAt: number;
}

export class HealthModel {
  readonly settings: Settings;
  readonly cooldownSeconds: number;
  readonly minimum: number;
  readonly windowMs: number;
  readonly events: ModelEvent[] = [];
  cooldownsTriggered = 0;
  latencyMs: number | null = null;
  #score = 1;
  #scoredAt = 0;
  /** Outcomes that count for streaks, since the last recovery or revival, with their instants. */
  #history: { kind: "success" | "limit" | "failure"; at: number }[] = [];
  /** Instants of all successes that count. */
  #successes: number[] = [];
  #cooldown: Cooldown | null = null;
  #lastSince = -Infinity;
  #failedTrials = 0;
  #endIsDue = false;
  #deadUntil: number | null = null;
  #rechecks = 0;

  constructor(settings: Settings, cooldownSeconds: number, minimum: number, windowMs = Infinity) {
    this.settings = settings;
    this.cooldownSeconds = cooldownSeconds;
    this.minimum = minimum;
    this.windowMs = windowMs;
  }

  /** Every public call that reads the provider emits the end of a completed cooldown. */
  read(now: number): void {
    if (this.#endIsDue && this.cooldownMs(now) === 0) this.#end();
  }

  health(now: number): number {
    const halfLives = (now - this.#scoredAt) / 1_000 / this.settings.decayHalfLifeSeconds;
    return this.settings.decayHalfLifeSeconds === 0 ? this.#score : 1 - (1 - this.#score) * 0.5 ** halfLives;
  }

  cooldownMs(now: number): number {
    return this.#cooldown === null ? 0 : Math.max(0, this.#cooldown.until - now);
  }

  state(now: number): "dead" | "cooldown" | "trial" | "unhealthy" | "available" {
    if (this.#deadUntil !== null && now < this.#deadUntil) return "dead";
    if (this.#cooldown !== null && now < this.#cooldown.opensAt) return "cooldown";
    if (this.#cooldown !== null || this.#deadUntil !== null) return "trial";
    return this.health(now) < this.minimum ? "unhealthy" : "available";
  }

  /** True if a request with no other provider can go to this one. */
  isOpen(now: number): boolean {
    const state = this.state(now);
    return state === "trial" || state === "available" || (state === "cooldown" && this.probeInMs(now) === 0);
  }

  probeInMs(now: number): number {
    return Math.max(0, this.#cooldown!.probeAt - now);
  }

  observe({ status, latencyMs, retryAfterMs = 0 }: ReportedOutcome, now: number): void {
    this.read(now);
    const begunAt = now - (latencyMs ?? 0);
    if (status === "cancelled" || status === "unsuitable" || status === "client_error") return;
    const isRecheck = this.#deadUntil !== null && begunAt >= this.#deadUntil;
    if (status === "unauthorized") {
      if (this.#deadUntil === null) this.events.push({ event: "providerDead" });
      else if (!isRecheck) return;
      else this.#rechecks++;
      const first = this.settings.recheckDeadAfterMs;
      this.#deadUntil = now + Math.min(first * 2 ** this.#rechecks, Math.max(first, HOUR_MS));
      return;
    }
    const cooldown = this.#cooldown;
    const isOld = begunAt <= this.#lastSince || (cooldown !== null && now < cooldown.probeAt);
    const health = this.health(now);
    this.#scoredAt = now;
    if (status === "success") {
      this.#score = Math.min(1, health + this.settings.boostSuccess);
      this.#sample(latencyMs);
      if (!isOld) this.#succeed(begunAt, now);
      if (isRecheck) this.#revived();
      return;
    }
    this.#score = Math.max(0, health - this.#penalty(status));
    const stated = Math.min(retryAfterMs, 48 * HOUR_MS);
    if (!isOld) this.#fail(status, stated, now);
    else if (stated > this.cooldownMs(now))
      this.#startCooldown(status, now + stated, true, now, this.cooldownMs(now) > 0);
  }

  revive(now: number): void {
    if (this.#endIsDue) this.#end();
    if (this.#deadUntil !== null) this.#revived();
    this.#score = 1;
    this.#scoredAt = now;
    this.#cooldown = null;
    this.#lastSince = -Infinity;
    this.#failedTrials = 0;
    this.#history = [];
  }

  upsert(now: number): void {
    this.read(now);
    if (this.#deadUntil !== null) this.#revived();
  }

  #end(): void {
    this.#endIsDue = false;
    this.events.push({ event: "cooldownEnded" });
  }

  #revived(): void {
    this.#deadUntil = null;
    this.#rechecks = 0;
    this.events.push({ event: "providerRevived" });
  }

  #sample(latencyMs: number | undefined): void {
    if (latencyMs === undefined) return;
    const { ewmaAlpha } = this.settings;
    const before = this.latencyMs;
    const most = before === null ? 60_000 : 4 * before + 1_000;
    const sample = Math.min(latencyMs, most);
    this.latencyMs = before === null ? sample : ewmaAlpha * sample + (1 - ewmaAlpha) * before;
  }

  #succeed(begunAt: number, now: number): void {
    this.#successes.push(now);
    const first = this.#history[this.#history.findLastIndex((past) => past.kind === "success") + 1];
    if (first !== undefined && begunAt < first.at) return;
    this.#history.push({ kind: "success", at: now });
    this.#failedTrials = 0;
    if (this.#cooldown === null) return;
    this.#score = Math.max(this.#score, this.settings.recoveredHealth);
    this.#cooldown = null;
    if (this.#endIsDue) this.#end();
  }

  #fail(status: StatusClass, stated: number, now: number): void {
    const kind = LIMITS.includes(status) ? "limit" : "failure";
    this.#history.push({ kind, at: now });
    const isTrial = this.#cooldown !== null;
    if (isTrial) this.#failedTrials++;
    if (stated > 0) {
      this.#startCooldown(status, now + stated, true, now, false);
      return;
    }
    if (!isTrial && status !== "quota_exhausted" && !this.#isTriggered(kind, now)) return;
    const until = now + this.#lengthMs(status);
    const before = this.#cooldown?.until ?? -Infinity;
    if (Math.max(until, before) <= now) this.#cooldown = null;
    else if (before >= until) {
      // Within a longer stated wait.
      const opensAt = Math.min(before, now + HOUR_MS);
      this.#cooldown = { since: now, until: before, opensAt, probeAt: opensAt };
      this.#lastSince = now;
    } else this.#startCooldown(status, until, false, now, false);
  }

  #isTriggered(kind: "limit" | "failure", now: number): boolean {
    if (this.#score < this.settings.cooldownThreshold) return true;
    const sinceSuccess = this.#history.slice(this.#history.findLastIndex((past) => past.kind === "success") + 1);
    const streak = sinceSuccess.filter((past) => past.kind === kind).length;
    const { cooldownTriggerCount } = this.settings;
    if (cooldownTriggerCount !== undefined) return streak >= cooldownTriggerCount;
    if (kind === "limit") return true;
    const successes = this.#successes.filter((at) => at > now - 500).length;
    return streak >= 3 && streak / (streak + successes) >= 0.5;
  }

  #lengthMs(status: StatusClass): number {
    const own = this.cooldownSeconds * 1_000;
    let first = own;
    let longest = 60_000;
    if (status === "rate_limited") first = Math.min(own, this.windowMs);
    if (status === "quota_exhausted") {
      first = Math.max(own, 60_000);
      longest = 600_000;
    }
    const { cooldownMultiplier, maxCooldownSeconds } = this.settings;
    let length = first;
    for (let i = 0; i < this.#failedTrials; i++) length *= Math.max(1, cooldownMultiplier);
    return Math.min(length, maxCooldownSeconds === undefined ? Math.max(longest, first) : maxCooldownSeconds * 1_000);
  }

  #penalty(status: StatusClass): number {
    if (LIMITS.includes(status)) return this.settings.penalty429;
    if (status === "forbidden") return this.settings.penalty403;
    return status === "timeout" ? this.settings.penaltyTimeout : this.settings.penalty5xx;
  }

  #startCooldown(status: StatusClass, until: number, isStated: boolean, now: number, isLengthened: boolean): void {
    const opensAt = isStated ? Math.min(until, now + HOUR_MS) : until;
    const canProbe = !isStated && !LIMITS.includes(status);
    const probeAt = canProbe ? Math.min(opensAt, now + Math.max(5_000, this.cooldownSeconds * 1_000)) : opensAt;
    // A stated wait that ends exactly with the cooldown that a trial has ended is the same cooldown.
    const isSame = this.#cooldown?.until === until;
    this.#cooldown = { since: now, until, opensAt, probeAt };
    this.#lastSince = now;
    this.#endIsDue = true;
    if (isSame) return;
    if (!isLengthened) this.cooldownsTriggered++;
    this.events.push({ event: "cooldownStarted", status, durationMs: until - now });
  }
}
