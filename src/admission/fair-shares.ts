// Fairness between keys within one priority: start-time fair queueing.
//
//   tag(k)   virtual time of the next request of key k. The lowest tag is served first, equal tags by arrival.
//   V(p)     virtual time of provider p
//
//   p serves k:       V(p) = max(V(p), tag(k)), then tag(k) += charge / weight
//   k joins:          tag(k) = max(tag(k), V(p) of every provider p that it can use)
//   usage is known:   tag(k) += (new charge - old charge) / weight
//
//   charge = largest amount / limit over the quotas of the lease; 1 without quotas
//
// Regimes: a key that waits alone is not charged. Lists of providers without a common provider or pool have separate tags. A
// key that has left keeps its tag while others of its priority wait, but only the latest 1,000 of them do.
// Source: P. Goyal, H. Vin, H. Cheng, "Start-time Fair Queueing" (SIGCOMM 1996).

import type { Capability } from "../provider/capability.ts";
import type { ProviderList } from "../provider/provider-list.ts";
import type { Registry } from "../provider/registry.ts";
import type { RequestSpec } from "../selection/request-spec.ts";
import type { ActiveLease } from "./active-lease.ts";

const MAX_ABSENT = 1_000;

/** Place of one key in the order of one priority. `Queue`: a part of the wait queue that is sorted by the tag. */
export class Share<Queue> {
  tag = 0;
  /** Number of its waiters. */
  waiting = 0;
  readonly key: string | undefined;
  readonly level: Level<Queue>;
  readonly queues: Set<Queue> = new Set();

  constructor(key: string | undefined, level: Level<Queue>) {
    this.key = key;
    this.level = level;
  }
}

/** The keys of one priority that compete. */
interface Level<Queue> {
  waiting: number;
  readonly drop: () => void;
  readonly shares: Map<string | undefined, Share<Queue>>;
  /** Shares without waiters, earliest first. */
  readonly absent: Set<Share<Queue>>;
  /** Virtual times by the name of the provider. */
  readonly times: Map<string, number>;
}

/** The levels of lists that share a provider or a pool. */
interface Scope<Queue> {
  readonly levels: Map<number, Level<Queue>>;
  readonly resources: Set<unknown>;
}

/** Most waiters, and most of one key. */
interface QueueLimits {
  readonly maxWaiting: number;
  readonly maxWaitingPerKey: number;
}

/** The shares of one wait queue. */
export class FairShares<Queue extends { update(): void }> {
  readonly #registry: Pick<Registry, "providers">;
  readonly #limits: QueueLimits;
  readonly #scopes = new Map<ProviderList, Scope<Queue>>();
  /** Number of waiters by key. */
  readonly #counts = new Map<string | undefined, number>();

  constructor(registry: Pick<Registry, "providers">, limits: QueueLimits) {
    this.#registry = registry;
    this.#limits = limits;
  }

  /** True if a call with a key waits. */
  get haveKeys(): boolean {
    return this.#counts.size > 0;
  }

  /** True if no further call with that key can join the queue. `size`: number of all waiters. */
  isFullFor(key: string | undefined, size: number): boolean {
    const { maxWaiting, maxWaitingPerKey } = this.#limits;
    return size >= maxWaiting || (key !== undefined && this.#waitingFor(key) >= maxWaitingPerKey);
  }

  /** Number of waiters with that key; 0 for calls without a key. */
  #waitingFor(key: string | undefined): number {
    return this.#counts.get(key) ?? 0;
  }

  /** The share of a key that waits or has left; undefined: it has none. */
  find({ list }: Capability, priority: number, key: string | undefined): Share<Queue> | undefined {
    return this.#scopes.get(list)?.levels.get(priority)?.shares.get(key);
  }

  /** Adds a waiter; returns the share of its key. */
  join(capability: Capability, request: RequestSpec, priority: number, key: string | undefined): Share<Queue> {
    const level = this.#level(capability, priority);
    let share = level.shares.get(key);
    if (share === undefined) {
      share = new Share(key, level);
      level.shares.set(key, share);
    }
    if (share.waiting === 0) {
      level.absent.delete(share);
      for (const name of capability.list.names) {
        if (!request.excludes(name)) share.tag = Math.max(share.tag, level.times.get(name) ?? 0);
      }
    }
    share.waiting++;
    level.waiting++;
    if (key !== undefined) this.#counts.set(key, this.#waitingFor(key) + 1);
    return share;
  }

  /** Removes a waiter. */
  leave(share: Share<Queue>): void {
    const { level, key } = share;
    share.waiting--;
    level.waiting--;
    const count = this.#waitingFor(key) - 1;
    if (count > 0) this.#counts.set(key, count);
    else this.#counts.delete(key);
    if (level.waiting === 0) level.drop();
    if (share.waiting > 0) return;
    level.absent.add(share);
    if (level.absent.size <= MAX_ABSENT) return;
    const [oldest] = level.absent;
    level.absent.delete(oldest!);
    level.shares.delete(oldest!.key);
  }

  /** Charges a key for a lease, and corrects that whenever another usage of it becomes known. */
  charge(share: Share<Queue>, lease: ActiveLease, weight = 1): void {
    const { shares, times } = share.level;
    if (shares.size === 1) return;
    times.set(lease.provider, Math.max(times.get(lease.provider) ?? 0, share.tag));
    let charged = 0;
    lease.onUsage = () => {
      const { charge } = lease;
      share.tag += (charge - charged) / weight;
      charged = charge;
      for (const queue of share.queues) queue.update();
    };
    lease.onUsage();
  }

  #level({ list }: Capability, priority: number): Level<Queue> {
    let scope = this.#scopes.get(list);
    if (scope === undefined) {
      const resources = list
        .resolved(this.#registry.providers)
        .flatMap(({ name, provider }) => [name, ...(provider?.pools ?? [])]);
      const isShared = (other: Scope<Queue>) => resources.some((resource) => other.resources.has(resource));
      scope = [...this.#scopes.values()].find(isShared) ?? { levels: new Map(), resources: new Set() };
      for (const resource of resources) scope.resources.add(resource);
      this.#scopes.set(list, scope);
    }
    const { levels } = scope;
    let level = levels.get(priority);
    if (level === undefined) {
      const drop = () => {
        levels.delete(priority);
        if (levels.size > 0) return;
        for (const [each, { levels: left }] of this.#scopes) if (left === levels) this.#scopes.delete(each);
      };
      level = { waiting: 0, drop, shares: new Map(), absent: new Set(), times: new Map() };
      levels.set(priority, level);
    }
    return level;
  }
}
