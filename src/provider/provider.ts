import type { Price, ProviderConfig } from "../api/provider-config.ts";
import type { Events } from "../events.ts";
import type { Health } from "../health/health.ts";
import { Ramp } from "../health/ramp.ts";
import { COST_USD, REQUESTS } from "../quota/dimension-index.ts";
import type { Quota } from "../quota/quota.ts";
import { SIZE_DIMENSIONS } from "../quota/usage-vector.ts";
import type { Pool } from "./pool.ts";
import { ProviderRow } from "./provider-row.ts";

/** What a provider's configuration says, complete. */
export interface ProviderSettings {
  readonly priority: number;
  readonly weight: number;
  readonly paused: boolean;
  readonly price: Price | null;
  readonly cooldownSeconds: number;
}

/** The priority of a provider that names none. */
export const DEFAULT_PRIORITY = 10;

/** What one provider can be now; the first that holds. */
export type ProviderState = "dead" | "paused" | "cooldown" | "trial" | "unhealthy" | "ramping" | "available";

/** What holds the one place of a trial. */
export interface Trial {
  readonly grantedAt: number;
}

/** One provider: its settings, its quotas (own ones first, then its pools'), its health. */
export class Provider {
  readonly name: string;
  readonly health: Health;
  readonly row: ProviderRow = new ProviderRow();
  settings: ProviderSettings;
  #ownQuotas: readonly Quota[] = [];
  #pools: readonly Pool[] = [];
  /** Own quotas, then those of its pools. */
  quotas: readonly Quota[] = [];
  /** True if one of its quotas counts amounts that depend on the size of a request. */
  hasSizes = false;
  /** True if it has a quota of dollars, and a price from which the cost of a request follows. */
  isPriced = false;
  readonly ramp: Ramp = new Ramp();
  /** The lease that holds the place of its trial; null: free. */
  trial: Trial | null = null;
  /** False once it was removed, though another of its name may have come. */
  isRegistered = true;
  /** Leases that have not let go of it. */
  leases = 0;
  /** Instant at which the end of a cooldown is to be emitted, by the first call that reads the provider; Infinity: none. */
  cooldownEndDueAt: number = Infinity;

  constructor(name: string, settings: ProviderSettings, health: Health) {
    this.name = name;
    this.settings = settings;
    this.health = health;
  }

  /** A fact that selections read has changed. */
  invalidate(): void {
    this.row.validUntil = -Infinity;
  }

  get ownQuotas(): readonly Quota[] {
    return this.#ownQuotas;
  }

  get pools(): readonly Pool[] {
    return this.#pools;
  }

  /** Replaces the quotas it draws from; a pool that is named twice counts once. */
  attach(ownQuotas: readonly Quota[], pools: readonly Pool[]): void {
    this.detach();
    this.#ownQuotas = ownQuotas;
    this.#pools = [...new Set(pools)];
    this.quotas = [...ownQuotas, ...this.#pools.flatMap((pool) => pool.quotas)];
    const specs = this.quotas.map((quota) => quota.spec);
    this.hasSizes = specs.some((spec) => SIZE_DIMENSIONS.includes(spec.index));
    this.isPriced = this.settings.price !== null && specs.some((spec) => spec.index === COST_USD);
    this.ramp.follow(
      specs.map(({ limit, windowMs, index }) => ({ limit, windowMs, isOfRequests: index === REQUESTS })),
    );
    for (const quota of this.quotas) quota.dependents.push(this);
    this.invalidate();
  }

  /** Draws from nothing any more, as far as its quotas are concerned. */
  detach(): void {
    for (const { dependents } of this.quotas) {
      const at = dependents.indexOf(this);
      if (at >= 0) dependents.splice(at, 1);
    }
  }

  state(now: number, minimumHealth: number): ProviderState {
    const state = this.health.state(now, minimumHealth);
    if (this.settings.paused && state !== "dead") return "paused";
    return state === "available" && this.ramp.isOn(now) ? "ramping" : state;
  }

  /** In how many ms a trial or the ramp lets a lease through; Infinity: when a request in flight ends. */
  recoveryDelayMs(state: ProviderState, now: number): number {
    if (state === "trial") {
      return this.trial !== null && this.trial.grantedAt >= this.health.cooldownUntil ? Infinity : 0;
    }
    return state === "ramping" ? this.ramp.waitMs(now) : 0;
  }

  /** A lease goes through the gate. */
  takeRecoverySlot(state: ProviderState, requests: number, lease: Trial, now: number): void {
    if (state === "trial") this.trial = lease;
    else if (state === "ramping") this.ramp.take(requests, now);
  }

  /** Requests in flight: leases that hold it; in the classic profile what its concurrency has counted. */
  inFlight(now: number): number {
    let most = this.leases;
    for (const quota of this.quotas) {
      if (quota.spec.strategy === "concurrency") most = Math.max(most, quota.tracker.used(now));
    }
    return most;
  }

  /** In how many ms its cooldown ends; 0: it is in none. */
  cooldownMs(now: number): number {
    return Math.max(0, this.health.cooldownUntil - now);
  }

  /** A cooldown was told to listeners: its end will have to be told as well. */
  cooldownStartEmitted(): void {
    this.cooldownEndDueAt = this.health.cooldownUntil;
  }

  /** The first public call that reads the provider after a cooldown tells its end. */
  emitEndedCooldown(events: Events, now: number): void {
    if (now >= this.cooldownEndDueAt) this.endCooldown(events);
  }

  /** Tells the end of a cooldown of which only the start was told, whatever the time is. */
  endCooldown(events: Events): void {
    if (this.cooldownEndDueAt === Infinity) return;
    this.cooldownEndDueAt = Infinity;
    events.emit("cooldownEnded", { provider: this.name });
  }
}

/** A copy of what a configuration says of the price; null where it says nothing. */
export function priceOf(config: Pick<ProviderConfig, "price">): Price | null {
  return config.price === undefined ? null : { ...config.price };
}
