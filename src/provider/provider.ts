import type { DialectName } from "../api/dialect-name.ts";
import type { Price, ProviderConfig } from "../api/provider-config.ts";
import type { StatusClass } from "../api/status-class.ts";
import type { Events } from "../events.ts";
import type { CooldownTerms, Health } from "../health/health.ts";
import { Ramp } from "../health/ramp.ts";
import type { DialectTerms } from "../quota/dialect-terms.ts";
import { COST_USD, REQUESTS } from "../quota/dimension-index.ts";
import type { Quota } from "../quota/quota.ts";
import { SIZE_DIMENSIONS } from "../quota/usage-vector.ts";
import type { LimitDiscovery } from "./limit-discovery.ts";
import type { Pool } from "./pool.ts";
import { ProviderRow } from "./provider-row.ts";
import type { RetryBudget } from "./retry-budget.ts";

/** Configuration of a provider except its quotas, with all defaults filled in. */
export interface ProviderSettings {
  readonly priority: number;
  readonly weight: number;
  /** Instant at which the pause ends. -Infinity: it is not paused. */
  readonly pausedUntil: number;
  readonly price: Price | null;
  readonly cooldownSeconds: number;
  /** null: none is declared. */
  readonly dialect: DialectName | null;
  readonly terms: DialectTerms;
}

/** Priority of a provider that declares none. */
export const DEFAULT_PRIORITY = 10;

/** Least time (ms), and mean latencies, after which a trial counts as hung. */
const HUNG_AFTER_MS = 5_000;
const HUNG_LATENCIES = 5;

/** Least cooldown (ms) after a rate limit during a ramp-up by requests in flight. */
const SHORTEST_COOLDOWN_MS = 100;

/** State of a provider now. If several states hold, the first in this order counts. */
export type ProviderState = "dead" | "paused" | "cooldown" | "trial" | "unhealthy" | "ramping" | "available";

/** Lease that occupies the trial: a provider in a trial serves one request. */
export interface Trial {
  /** Instant from which the provider serves another trial, because this one hangs. */
  readonly trialEndsAt: number;
}

/** Permission of the store for a trial. */
export interface TrialGate {
  readonly isOpen: boolean;
  /** True if it is not open because the store has not answered yet. */
  readonly isAwaited: boolean;
}

/** One provider: its settings, quotas and health. */
export class Provider implements CooldownTerms {
  readonly name: string;
  readonly health: Health;
  readonly retryBudget: RetryBudget;
  readonly row: ProviderRow = new ProviderRow();
  settings: ProviderSettings;
  #ownQuotas: readonly Quota[] = [];
  #pools: readonly Pool[] = [];
  /** Its own quotas first, then those of its pools. */
  quotas: readonly Quota[] = [];
  /** True if one of its quotas, or of those of the keys, counts amounts that depend on the size of a request. */
  hasSizes = false;
  /** True if it has a cost quota, and a price from which the cost of a request follows. */
  isPriced = false;
  /** Cost quota of a provider without a price: every request must state its cost. null: none. */
  unpricedQuota: Quota | null = null;
  /** null: it declares its limits. */
  discovery: LimitDiscovery | null = null;
  readonly ramp: Ramp = new Ramp();
  #shortestWindowMs = Infinity;
  /** Limit of one trial at a time for all processes that share limits; null: none is shared. */
  trialGate: TrialGate | null = null;
  /** Lease in the trial; null: none, or the trial is decided. */
  trial: Trial | null = null;
  /** Grant of the latest request that succeeded. */
  provenAt: number = -Infinity;
  /** False once it was removed, even if another provider of the same name was registered since. */
  isRegistered = true;
  /** Number of leases that are attached to it. */
  leases = 0;
  /** Number of rate limits that narrowed the ramp-up, and of the leases since the last one. */
  #rampEpoch = 0;
  #newerLeases = 0;
  /** Number of those leases of which the task still runs although the call gave up. */
  abandonedTasks = 0;
  /** Outcome that began the latest cooldown. */
  cooldownStatus: StatusClass = "rate_limited";
  /** Instant from which the end of a cooldown must be emitted, by the next call that reads the provider. Infinity: never. */
  cooldownEndDueAt: number = Infinity;

  constructor(name: string, settings: ProviderSettings, health: Health, retryBudget: RetryBudget) {
    this.name = name;
    this.settings = settings;
    this.health = health;
    this.retryBudget = retryBudget;
  }

  /** Makes selections read its facts again, because one has changed. */
  invalidate(): void {
    this.row.validUntil = -Infinity;
  }

  get cooldownSeconds(): number {
    return this.settings.cooldownSeconds;
  }

  get maxLimitCooldownMs(): number {
    if (!this.ramp.isNarrow) return this.#shortestWindowMs;
    return Math.min(this.#shortestWindowMs, Math.max(SHORTEST_COOLDOWN_MS, this.health.latencyMs ?? Infinity));
  }

  get ownQuotas(): readonly Quota[] {
    return this.#ownQuotas;
  }

  get pools(): readonly Pool[] {
    return this.#pools;
  }

  /** Replaces its own quotas and its pools. A pool that is named twice counts once. `areKeysSized`: limits of keys need sizes. */
  attach(ownQuotas: readonly Quota[], pools: readonly Pool[], areKeysSized = false): void {
    this.detach();
    this.#ownQuotas = ownQuotas;
    this.#pools = [...new Set(pools)];
    this.quotas = [...ownQuotas, ...this.#pools.flatMap((pool) => pool.quotas)];
    const specs = this.quotas.map((quota) => quota.spec);
    this.hasSizes = areKeysSized || specs.some((spec) => SIZE_DIMENSIONS.includes(spec.index));
    const costQuota = this.quotas.find(({ index }) => index === COST_USD) ?? null;
    this.isPriced = this.settings.price !== null && costQuota !== null;
    this.unpricedQuota = this.isPriced ? null : costQuota;
    this.#shortestWindowMs = Math.min(...specs.map(({ windowMs }) => windowMs ?? Infinity));
    this.ramp.setLimits(
      specs.map(({ limit, windowMs, index }) => ({ limit, windowMs, isOfRequests: index === REQUESTS })),
    );
    for (const quota of this.quotas) quota.dependents.push(this);
    this.invalidate();
  }

  /** Makes its quotas forget it: a change of them no longer invalidates the provider. */
  detach(): void {
    for (const { dependents } of this.quotas) {
      const at = dependents.indexOf(this);
      if (at >= 0) dependents.splice(at, 1);
    }
  }

  state(now: number, minimumHealth: number): ProviderState {
    const state = this.health.state(now, minimumHealth);
    if (now < this.settings.pausedUntil && state !== "dead") return "paused";
    return state === "available" && this.ramp.isOn(now) ? "ramping" : state;
  }

  /** True if a request can be a trial now. `isOnlyChoice`: no other provider is eligible for it, so it can probe. */
  isOpenForTrial(state: ProviderState, isOnlyChoice: boolean, now: number): boolean {
    return state === "trial" || (state === "cooldown" && isOnlyChoice && now >= this.health.opensAt(true));
  }

  /** Counts a lease. Returns the value that `leaseEnded` needs. */
  leaseGranted(): number {
    this.leases++;
    this.#newerLeases++;
    return this.#rampEpoch;
  }

  leaseEnded(rampEpoch: number): void {
    this.leases--;
    if (rampEpoch === this.#rampEpoch) this.#newerLeases--;
  }

  /** A cooldown after a rate limit has begun. */
  limited(now: number): void {
    // The refused request has left already.
    this.ramp.limited(this.leases + 1, now);
    this.#rampEpoch++;
    this.#newerLeases = 0;
  }

  /** Time (ms) after which a trial counts as hung. */
  get hungAfterMs(): number {
    return Math.max(HUNG_AFTER_MS, HUNG_LATENCIES * (this.health.latencyMs ?? 0));
  }

  /** Instant from which another trial can begin. -Infinity: no trial is open. */
  get trialEndsAt(): number {
    return this.trial?.trialEndsAt ?? -Infinity;
  }

  /** Milliseconds until a trial or the ramp-up admits a lease. 0: now. Infinity: when a request in flight ends. */
  recoveryDelayMs(state: ProviderState, now: number): number {
    if (state === "trial" || state === "cooldown")
      return this.trialEndsAt <= now && this.trialGate?.isOpen !== false ? 0 : Infinity;
    return state === "ramping" ? this.ramp.waitMs(this.leases, this.#newerLeases, now) : 0;
  }

  /** Instant at which another trial or the ramp-up admits a lease although no request has ended. */
  gateOpensAt(state: ProviderState, now: number): number {
    if (state === "ramping") return this.ramp.opensAt(this.leases, this.#newerLeases, now);
    return this.trialEndsAt > now ? this.trialEndsAt : Infinity;
  }

  /** Records that a lease was granted in a trial or during the ramp-up. */
  takeRecoverySlot(state: ProviderState, requests: number, lease: Trial, now: number): void {
    if (state === "trial") this.trial = lease;
    else if (state === "ramping") this.ramp.take(requests, now);
  }

  /** Requests in flight: its leases, or if that is more, the recorded usage of a concurrency quota (classic profile). */
  inFlight(now: number): number {
    let highest = this.leases;
    for (const quota of this.quotas) {
      if (quota.spec.strategy === "concurrency") highest = Math.max(highest, quota.tracker.used(now));
    }
    return highest;
  }

  /** Milliseconds until its cooldown ends. 0: it is not in a cooldown. */
  cooldownMs(now: number): number {
    return Math.max(0, this.health.cooldownUntil - now);
  }

  /** Notes that the start of a cooldown was emitted, so that its end must be emitted too. */
  cooldownStartEmitted(): void {
    this.cooldownEndDueAt = this.health.cooldownUntil;
  }

  /** Emits the end of a cooldown that is over. Every public call that reads the provider calls this. */
  emitEndedCooldown(events: Events, now: number): void {
    if (now >= this.cooldownEndDueAt) this.endCooldown(events);
  }

  /** Emits the end of a cooldown if so far only its start was emitted, even if its time is not over. */
  endCooldown(events: Events): void {
    if (this.cooldownEndDueAt === Infinity) return;
    this.cooldownEndDueAt = Infinity;
    events.emit("cooldownEnded", { provider: this.name });
  }
}

/** Returns a copy of the configured price; null: none. */
export function priceOf(config: Pick<ProviderConfig, "price">): Price | null {
  return config.price === undefined ? null : { ...config.price };
}
