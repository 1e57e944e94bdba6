// Who goes next: higher priority first, first come first served within one, whatever the capability.
//
//   A waiter that cannot go claims, at each provider that could ever serve it, what it needs: of a quota that has room for
//   it and for those ahead, its amount; of one that has not, all. Whoever comes later, or has less priority, is behind at a
//   provider where a quota has not room for both.
//
// Regimes: a waiter that needs nothing of what is claimed passes, and one that leaves enough of it: who waits for the
// requests of one model leaves the tokens that it shares with another to whoever calls that. Waiters of one kind (capability, providers, which amounts
// are needed) stand in one queue: where the first of them claims at every eligible provider, those behind it are not even
// looked at, so that a pass costs as much as there are waiters served and kinds waiting. Where it is too large for one of
// the providers, the next smaller one of its kind may fit there, and the pass looks on.

import { type Due, TimerHeap } from "../clock/timer-heap.ts";
import type { Provider } from "../provider/provider.ts";
import { earliestFit } from "../quota/availability.ts";
import type { Quota } from "../quota/quota.ts";
import { type Demand, demandFor } from "../quota/usage-vector.ts";
import type { RequestSpec } from "../selection/request-spec.ts";

/** Somebody in the line. */
export interface QueueEntry {
  readonly capability: string;
  readonly request: RequestSpec;
  readonly priority: number;
  readonly deadline: number;
  readonly order: number;
  queue: Queue | null;
  next: QueueEntry | null;
  previous: QueueEntry | null;
  /** It claims something, so that its leaving may let others go. */
  hasClaims: boolean;
}

/** Waiters of one kind and priority, in order of arrival. */
class Queue implements Due {
  readonly key: string;
  readonly dueAt: number;
  first: QueueEntry | null = null;
  last: QueueEntry | null = null;
  /** The next one to be looked at in a pass. */
  cursor: QueueEntry | null = null;
  place = -1;

  constructor(key: string, priority: number) {
    this.key = key;
    this.dueAt = -priority;
  }

  get order(): number {
    return this.cursor?.order ?? Infinity;
  }
}

/** A provider that a waiter may go to, what it takes there, and whether it is a trial's or a ramp's gate that it waits for. */
export interface ClaimTarget {
  readonly provider: Provider;
  readonly needs: Demand;
  readonly isGated: boolean;
}

/** What became of a waiter that was looked at. */
export type Verdict = "gone" | "stays" | "stays, and those of its kind with it";

/** The waiting line; it knows who stands where and what is claimed, not what makes room. */
export class WaitQueue {
  readonly #queues = new Map<string, Queue>();
  /** How much is claimed, by priority; Infinity: all of it. */
  readonly #claims = new Map<Quota | Provider, Map<number, number>>();
  readonly #counts = new Map<string, number>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** How many wait, by capability. */
  get counts(): { readonly [capability: string]: number } {
    return Object.fromEntries(this.#counts);
  }

  *[Symbol.iterator](): IterableIterator<QueueEntry> {
    for (const queue of this.#queues.values()) for (let each = queue.first; each !== null; each = each.next) yield each;
  }

  /** True if one who wants exactly the same, and no longer, stands there: what holds for him holds here. */
  hasEqual(capability: string, request: RequestSpec, priority: number, deadline: number): boolean {
    // Without a look at the kind where nobody stands there, as mostly.
    const last = this.#size === 0 ? null : this.#queues.get(keyOf(capability, request, priority))?.last;
    if (last === undefined || last === null || last.deadline > deadline) return false;
    return last.request === request || last.request.key === request.key;
  }

  /** Puts it last of its kind. */
  add(waiter: QueueEntry): void {
    const { capability, request, priority } = waiter;
    const key = keyOf(capability, request, priority);
    let queue = this.#queues.get(key);
    if (queue === undefined) {
      queue = new Queue(key, priority);
      this.#queues.set(key, queue);
    }
    waiter.queue = queue;
    waiter.previous = queue.last;
    if (queue.last === null) queue.first = waiter;
    else queue.last.next = waiter;
    queue.last = waiter;
    this.#count(capability, 1);
  }

  /** Takes it out, if it is in. */
  remove(waiter: QueueEntry): void {
    const { queue, previous, next } = waiter;
    if (queue === null) return;
    if (queue.cursor === waiter) queue.cursor = next;
    if (previous === null) queue.first = next;
    else previous.next = next;
    if (next === null) queue.last = previous;
    else next.previous = previous;
    if (queue.first === null) this.#queues.delete(queue.key);
    waiter.queue = null;
    this.#count(waiter.capability, -1);
  }

  /** Looks at the waiters in order, from nothing claimed; `look` serves, refuses, or claims. */
  pass(look: (waiter: QueueEntry) => Verdict): void {
    this.#claims.clear();
    const heads = new TimerHeap<Queue>();
    for (const queue of this.#queues.values()) {
      queue.cursor = queue.first;
      heads.put(queue);
    }
    for (let queue = heads.first; queue !== undefined; queue = heads.first) {
      heads.remove(queue);
      const waiter = queue.cursor;
      // A strategy may have taken the last of them out.
      if (waiter === null) continue;
      const { next } = waiter;
      const verdict = look(waiter);
      if (verdict === "stays, and those of its kind with it") continue;
      let cursor = next;
      // Who needs at least as much of everything goes nowhere either.
      if (verdict === "stays") while (cursor?.request.isAtLeast(waiter.request)) cursor = cursor.next;
      queue.cursor = cursor;
      if (cursor !== null && cursor.queue === queue) heads.put(queue);
    }
  }

  get hasClaims(): boolean {
    return this.#claims.size > 0;
  }

  /** True if a request of that priority, which the provider has room for, would take what somebody ahead of it has claimed. */
  isBehind(provider: Provider, needs: Demand, priority: number, now: number): boolean {
    if (this.#claims.size === 0) return false;
    if (this.#ahead(provider, priority) > 0) return true;
    return provider.quotas.some((quota) => {
      const ahead = demandFor(needs.amounts, quota.index) > 0 ? this.#ahead(quota, priority) : 0;
      return ahead > 0 && this.#opensAt(quota, needs, priority, now) > now;
    });
  }

  /** From when on the provider has room for it and for those ahead; Infinity: at no known instant; null: once they have gone. */
  opensAt(provider: Provider, needs: Demand, priority: number, now: number): number | null {
    const counts = provider.quotas.filter((quota) => demandFor(needs.amounts, quota.index) > 0);
    if ([provider, ...counts].some((what) => this.#ahead(what, priority) === Infinity)) return null;
    return Math.max(now, ...counts.map((quota) => this.#opensAt(quota, needs, priority, now)));
  }

  /** Claims what the waiter needs of each of those providers, any of which it may go to. */
  claim(wanted: readonly ClaimTarget[], priority: number, now: number): void {
    const claims = new Map<Quota | Provider, number>();
    for (const { provider, needs, isGated } of wanted) {
      if (isGated) claims.set(provider, Infinity);
      for (const quota of provider.quotas) {
        const need = demandFor(needs.amounts, quota.index);
        if (need === 0) continue;
        const isShort = this.#opensAt(quota, needs, priority, now) > now;
        claims.set(quota, Math.max(isShort ? Infinity : need, claims.get(quota) ?? 0));
      }
    }
    // What it claims itself does not stand before it.
    for (const [what, amount] of claims) {
      const claimed = this.#claims.get(what) ?? new Map<number, number>();
      claimed.set(priority, amount + (claimed.get(priority) ?? 0));
      this.#claims.set(what, claimed);
    }
  }

  /** How much of it is claimed by those ahead of somebody of that priority. */
  #ahead(what: Quota | Provider, priority: number): number {
    let sum = 0;
    for (const [of, amount] of this.#claims.get(what) ?? []) if (of >= priority) sum += amount;
    return sum;
  }

  #opensAt(quota: Quota, needs: Demand, priority: number, now: number): number {
    return earliestFit(quota, needs, now, { claimed: this.#ahead(quota, priority) });
  }

  #count(capability: string, change: number): void {
    this.#size += change;
    const count = (this.#counts.get(capability) ?? 0) + change;
    if (count === 0) this.#counts.delete(capability);
    else this.#counts.set(capability, count);
  }
}

function keyOf(capability: string, request: RequestSpec, priority: number): string {
  return `${priority} ${request.kind} ${capability}`;
}
