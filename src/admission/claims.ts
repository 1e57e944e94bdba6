// Capacity that is kept for waiters, so that no later request takes what a waiter ahead of it could use.
//
//   A waiter claims, at each provider that it might go to, its demand on each quota: the amount if the quota has room for
//   it and for all claims ahead, else everything. If it waits for a trial or a ramp, it claims the provider as a whole.
//   A request is behind at a provider if a quota has no room for both its demand and the claims ahead.
//
// Regimes: claims count for requests of the same or a lower priority. A request that needs nothing of a claimed quota
// passes, and so does one that leaves the claimed amount: a waiter for the requests of one model leaves the tokens that it
// shares with another model to the requests of that one.

import type { Provider } from "../provider/provider.ts";
import { earliestFit } from "../quota/availability.ts";
import type { Quota } from "../quota/quota.ts";
import { type Demand, demandFor } from "../quota/usage-vector.ts";

/** A provider that a waiter might go to, and its demand there. */
export interface ClaimTarget {
  readonly provider: Provider;
  readonly needs: Demand;
  /** True if the waiter waits for a trial or a ramp of the provider, and not for its quotas. */
  readonly isGated: boolean;
}

/** The claims of all waiters that were evaluated. */
export class Claims {
  /** Claimed amounts by priority. Infinity: everything. */
  readonly #amounts = new Map<Quota | Provider, Map<number, number>>();
  /** Providers that are claimed as a whole, or of which a quota of requests or places is. */
  readonly #shut = new Set<object>();

  get isEmpty(): boolean {
    return this.#amounts.size === 0;
  }

  clear(): void {
    this.#amounts.clear();
    this.#shut.clear();
  }

  /** True if a request of that priority, for which the provider has room, would take claimed capacity. */
  isBehind(provider: Provider, needs: Demand, priority: number, now: number): boolean {
    if (this.isEmpty) return false;
    if (this.#ahead(provider, priority) > 0) return true;
    return provider.quotas.some((quota) => {
      const claimed = demandFor(needs.amounts, quota.index) > 0 ? this.#ahead(quota, priority) : 0;
      return claimed > 0 && earliestFit(quota, needs, now, { claimed }) > now;
    });
  }

  /** True if at all of these providers every waiter that comes after the present claims is behind, unless it needs no request. */
  areShut(listed: readonly { readonly provider: Provider | null }[]): boolean {
    return this.#shut.size > 0 && listed.every(({ provider }) => provider === null || this.#shut.has(provider));
  }

  /**
   * True if requests of that priority are behind at the provider whatever their size: the provider is claimed as a whole,
   * or one of its quotas of requests or places is.
   */
  isShut(provider: Provider, needs: Demand, priority: number): boolean {
    if (this.isEmpty) return false;
    if (this.#ahead(provider, priority) === Infinity) return true;
    return provider.quotas.some(
      (quota) =>
        quota.isOfRequests && demandFor(needs.amounts, quota.index) > 0 && this.#ahead(quota, priority) === Infinity,
    );
  }

  /**
   * When the provider has room for the demand and for the claims ahead. Infinity: time alone makes no room. null: not
   * before waiters ahead have gone.
   */
  opensAt(provider: Provider, needs: Demand, priority: number, now: number): number | null {
    if (this.#ahead(provider, priority) === Infinity) return null;
    let opensAt = now;
    for (const quota of provider.quotas) {
      if (demandFor(needs.amounts, quota.index) === 0) continue;
      const claimed = this.#ahead(quota, priority);
      if (claimed === Infinity) return null;
      opensAt = Math.max(opensAt, earliestFit(quota, needs, now, { claimed }));
    }
    return opensAt;
  }

  /**
   * Adds the claims of one waiter, which might go to any of the targets. Returns when the first of its quotas has room, so
   * that its claim there becomes smaller. Infinity: not before waiters ahead have gone.
   */
  add(targets: readonly ClaimTarget[], priority: number, now: number): number {
    const own = new Map<Quota | Provider, number>();
    let smallerAt = Infinity;
    for (const { provider, needs, isGated } of targets) {
      if (isGated) own.set(provider, Infinity);
      for (const quota of provider.quotas) {
        const need = demandFor(needs.amounts, quota.index);
        if (need === 0) continue;
        const fitsAt = earliestFit(quota, needs, now, { claimed: this.#ahead(quota, priority) });
        const isShort = fitsAt > now;
        if (isShort) smallerAt = Math.min(smallerAt, fitsAt);
        own.set(quota, Math.max(isShort ? Infinity : need, own.get(quota) ?? 0));
      }
    }
    // Only now, because a waiter is not behind its own claims.
    for (const [target, amount] of own) {
      let byPriority = this.#amounts.get(target);
      if (byPriority === undefined) {
        byPriority = new Map();
        this.#amounts.set(target, byPriority);
      }
      byPriority.set(priority, amount + (byPriority.get(priority) ?? 0));
      if (amount < Infinity) continue;
      if (!("isOfRequests" in target)) this.#shut.add(target);
      else if (target.isOfRequests) for (const provider of target.dependents) this.#shut.add(provider);
    }
    return smallerAt;
  }

  /** Amount that is claimed ahead of a request of that priority. */
  #ahead(target: Quota | Provider, priority: number): number {
    const byPriority = this.#amounts.get(target);
    if (byPriority === undefined) return 0;
    let sum = 0;
    for (const [of, amount] of byPriority) if (of >= priority) sum += amount;
    return sum;
  }
}
