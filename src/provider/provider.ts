import type { Price, ProviderConfig } from "../config/options.ts";
import type { Events } from "../events.ts";
import type { LiveQuota } from "../forecast/live-quota.ts";
import type { Health } from "../health/health.ts";
import type { Pool } from "./pool.ts";

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
export type ProviderState = "dead" | "paused" | "cooldown" | "trial" | "unhealthy" | "available";

/** One provider: its settings, its quotas (own ones first, then its pools'), its health. */
export class Provider {
  readonly name: string;
  readonly health: Health;
  settings: ProviderSettings;
  #ownQuotas: readonly LiveQuota[] = [];
  #pools: readonly Pool[] = [];
  #quotas: readonly LiveQuota[] = [];
  // The end of a cooldown is told once, by whoever reads the provider first after it.
  #cooldownIsToldUntil = Number.POSITIVE_INFINITY;

  constructor(name: string, settings: ProviderSettings, health: Health) {
    this.name = name;
    this.settings = settings;
    this.health = health;
  }

  get quotas(): readonly LiveQuota[] {
    return this.#quotas;
  }

  get ownQuotas(): readonly LiveQuota[] {
    return this.#ownQuotas;
  }

  get pools(): readonly Pool[] {
    return this.#pools;
  }

  /** Replaces the quotas it draws from; a pool that is named twice counts once. */
  drawFrom(ownQuotas: readonly LiveQuota[], pools: readonly Pool[]): void {
    this.#ownQuotas = ownQuotas;
    this.#pools = [...new Set(pools)];
    this.#quotas = [...ownQuotas, ...this.#pools.flatMap((pool) => pool.quotas)];
  }

  state(now: number, minimumHealth: number): ProviderState {
    const state = this.health.state(now, minimumHealth);
    return this.settings.paused && state !== "dead" ? "paused" : state;
  }

  /** Requests that hold a place of its concurrency now. */
  inFlight(now: number): number {
    let most = 0;
    for (const quota of this.#quotas) {
      if (quota.spec.strategy === "concurrency") most = Math.max(most, quota.tracker.used(now));
    }
    return most;
  }

  /** In how many ms its cooldown ends; 0: it is in none. */
  cooldownMs(now: number): number {
    return Math.max(0, this.health.cooldownUntil - now);
  }

  /** A cooldown was told to listeners: its end will have to be told as well. */
  cooldownWasTold(): void {
    this.#cooldownIsToldUntil = this.health.cooldownUntil;
  }

  /** The first public call that reads the provider after a cooldown tells its end. */
  tellEndedCooldown(events: Events, now: number): void {
    if (now >= this.#cooldownIsToldUntil) this.forgetCooldown(events);
  }

  /** Tells the end of a cooldown of which only the start was told, whatever the time is. */
  forgetCooldown(events: Events): void {
    if (this.#cooldownIsToldUntil === Number.POSITIVE_INFINITY) return;
    this.#cooldownIsToldUntil = Number.POSITIVE_INFINITY;
    events.raise("cooldownEnded", { provider: this.name });
  }
}

/** A copy of what a configuration says of the price; null where it says nothing. */
export function priceOf(config: Pick<ProviderConfig, "price">): Price | null {
  return config.price === undefined ? null : { ...config.price };
}
