// Requests that only the store can serve: those of the wait queue, in its order.
//
//   a waiter wants, at a provider, all that it needs of its quotas, if the count of this process has room for it
//
// Regimes: a waiter asks the store for its best provider first, for the next one once the store has refused it there, and for
// all of them once it was refused at each, so that a request does not take capacity of ten keys to use one.

import type { Provider } from "../provider/provider.ts";
import { allowanceFor } from "../quota/availability.ts";
import type { Demand } from "../quota/usage-vector.ts";
import type { Allowance } from "./allowance.ts";
import type { FleetHost, FleetWaiter } from "./fleet-link.ts";

/** Most waiters that are looked at, and most kinds of them that are sent. */
const MOST_CALLERS = 64;
const MOST_KINDS = 32;

/** Equal requests for one provider, that follow each other in the queue. */
export interface Want {
  readonly provider: Provider;
  /** Equal objects are equal requests. */
  readonly needs: ReadonlyMap<Allowance, number>;
  count: number;
  /** Latest instant at which one of them gives up. */
  deadline: number;
}

/** Wants by the name of the group. */
export type WantsOf<Group> = Map<Group, Want[]>;

/** Collects what the waiters want of each group. */
export function wantsOf<Group>(
  host: FleetHost,
  groupOf: (provider: Provider) => Group | undefined,
  allowanceOf: (quota: Provider["quotas"][number]) => Allowance | undefined,
  trialOf: (provider: Provider) => Allowance | undefined,
): WantsOf<Group> {
  const { now, registry, minimumHealth } = host;
  const wants: WantsOf<Group> = new Map();
  const room = new Room();
  const planned = new Map<string, readonly (readonly [Group, Want])[]>();
  for (const waiter of firstWaiters(host.waiters)) {
    const capability = registry.capabilities.get(waiter.capability);
    if (capability === undefined) continue;
    const key = `${waiter.capability} ${waiter.request.key}`;
    let targets = planned.get(key);
    if (targets === undefined) {
      const found: (readonly [Group, Want])[] = [];
      const ranking = host.rankingFor(capability, waiter.request, now);
      for (let rank = 0; rank < ranking.size; rank++) {
        const provider = ranking.provider(rank);
        const state = provider.state(now, minimumHealth);
        const isTrial = state === "trial" || state === "cooldown";
        if (isTrial ? provider.trialEndsAt > now : provider.recoveryDelayMs(state, now) > 0) continue;
        const group = groupOf(provider);
        const needs = needsOf(provider, ranking.demand(rank), isTrial ? trialOf(provider) : undefined, allowanceOf);
        if (group === undefined || needs.size === 0) continue;
        const want = { provider, needs, count: 0, deadline: -Infinity };
        const isRefused = [...needs].some(([allowance, need]) => allowance.isRefused(need, now));
        found.push([group, want]);
        if (!isRefused) break;
      }
      targets = found;
      planned.set(key, targets);
    }
    for (const [group, want] of targets) {
      // A request that this process has no room for keeps those behind it from the room that there is.
      if (!room.take(want.needs, now)) continue;
      let list = wants.get(group);
      if (list === undefined) {
        list = [];
        wants.set(group, list);
      }
      let last = list.at(-1);
      if (last?.needs !== want.needs) {
        if (list.length === MOST_KINDS) continue;
        last = { ...want, count: 0, deadline: -Infinity };
        list.push(last);
      }
      last.count++;
      last.deadline = Math.max(last.deadline, waiter.deadline);
    }
  }
  return wants;
}

/** What the request needs of each shared quota. */
function needsOf(
  provider: Provider,
  demand: Demand,
  trial: Allowance | undefined,
  allowanceOf: (quota: Provider["quotas"][number]) => Allowance | undefined,
): ReadonlyMap<Allowance, number> {
  const needs = new Map<Allowance, number>();
  for (const quota of provider.quotas) {
    const need = allowanceFor(quota, demand);
    const allowance = allowanceOf(quota);
    if (need > 0 && allowance !== undefined) needs.set(allowance, need);
  }
  if (trial !== undefined) needs.set(trial, 1);
  return needs;
}

/** What the count of this process leaves to its waiters. */
class Room {
  readonly #left = new Map<Allowance, number>();

  /** Takes what a waiter needs; false: there is too little, and nothing is left for others. */
  take(needs: Want["needs"], now: number): boolean {
    let fits = true;
    for (const [allowance, need] of needs) {
      const { quota } = allowance;
      const left = (this.#left.get(allowance) ?? quota.capacity - quota.taken(now)) - need;
      this.#left.set(allowance, left < 0 ? -Infinity : left);
      fits &&= left >= 0;
    }
    return fits;
  }
}

/** The first waiters in the order of the queue. */
function firstWaiters(waiters: Iterable<FleetWaiter>): FleetWaiter[] {
  const first: FleetWaiter[] = [];
  for (const waiter of waiters) {
    if (first.length === MOST_CALLERS && !waiter.isAheadOf(first.at(-1)!)) continue;
    let place = first.length;
    while (place > 0 && waiter.isAheadOf(first[place - 1]!)) place--;
    first.splice(place, 0, waiter);
    if (first.length > MOST_CALLERS) first.pop();
  }
  return first;
}

/** When the store can be asked for it. */
export function wantedAt({ needs }: Want, now: number): number {
  let at = now;
  for (const [allowance, need] of needs) if (allowance.isRefused(need, now)) at = Math.max(at, allowance.refusedUntil);
  return at;
}
