// What becomes of a call when it arrives: it is granted a lease immediately, or refused, or queued.
//
//   refused:  the queue is full, or no known release and no end of a request in flight makes room by its deadline, or the
//             waiters ahead leave nothing until then even if everything goes well (see backlog.ts)
//
// Regimes: a call that asks again after a failed attempt keeps its order of arrival. The first call of a fairness key has a turn of
// its own, which the next pass gives it.

import type { Explanation } from "../api/explanation.ts";
import type { Capability } from "../provider/capability.ts";
import type { Ranking } from "../selection/ranking.ts";
import type { RequestSpec } from "../selection/request-spec.ts";
import { rank } from "../selection/select.ts";
import type { SelectionContext } from "../selection/selection-context.ts";
import type { ActiveLease } from "./active-lease.ts";
import { delayBehind, loadOf, waitBehind } from "./backlog.ts";
import type { Claims } from "./claims.ts";
import { addToBounds } from "./group-bounds.ts";
import type { LeaseContext } from "./lease-context.ts";
import type { QueueScheduler } from "./queue-scheduler.ts";
import type { Reserver } from "./reserver.ts";
import { isShutOut } from "./shut-out.ts";
import { queueIn } from "./wait-queue.ts";
import { type Caller, type LeaseOptions, type QueuePosition, Waiter, type WaitOptions } from "./waiter.ts";
import { waitersAhead } from "./waiters-ahead.ts";

/** The calls of one limiter that ask for leases. */
export class Arrivals {
  readonly #context: LeaseContext;
  readonly #parts: SelectionContext;
  readonly #claims: Claims;
  readonly #reserver: Reserver;
  readonly #scheduler: QueueScheduler;
  #orders = 0;

  constructor(
    context: LeaseContext,
    parts: SelectionContext,
    claims: Claims,
    reserver: Reserver,
    scheduler: QueueScheduler,
  ) {
    this.#context = context;
    this.#parts = parts;
    this.#claims = claims;
    this.#reserver = reserver;
    this.#scheduler = scheduler;
  }

  /** Ranks the providers for a lease, after all claims were renewed that might prevent it. */
  rank(capability: Capability, request: RequestSpec, position: QueuePosition, now: number): Ranking {
    const ranking = rank(capability, request, this.#parts, now, true);
    if (this.#scheduler.isServing || !this.#scheduler.waiters.hasDeferred) return ranking;
    if (this.#reserver.best(request, ranking, position, now) < 0) return ranking;
    this.#scheduler.evaluateAll(now);
    return rank(capability, request, this.#parts, now, true);
  }

  /** Least time (ms) after which a call behind all waiters can be served. */
  delayMs(capability: Capability, request: RequestSpec, now: number): number {
    const group = this.#scheduler.waiters.groupOf(capability.list, request);
    return delayBehind(group, { capability, request, priority: -Infinity, share: undefined }, this.#parts, now);
  }

  /** What `begin` would do with such a call. Takes nothing. */
  explain(
    capability: Capability,
    request: RequestSpec,
    { priority = 0, fairnessKey: key }: LeaseOptions,
    maxWaitMs: number,
    now: number,
  ): Explanation {
    const { registry } = this.#parts;
    const { waiters, shares } = this.#scheduler;
    const position = { priority, order: Infinity };
    const ranking = this.rank(capability, request, position, now);
    const first = this.#reserver.best(request, ranking, position, now);
    const best = this.#reserver.preferred(request, ranking, first, position, now);
    const usable = registry.listed(capability).filter(({ name }) => !request.excludes(name));
    const ahead = waitersAhead(waiters, priority, usable, registry);
    if (best >= 0) return { outcome: "granted", decision: ranking.decision(best), refusal: null, ahead };
    const deadline = now + maxWaitMs;
    const group = waiters.groupOf(capability.list, request);
    const call = { capability, request, priority, share: shares.find(capability, priority, key) };
    const behindMs = delayBehind(group, call, this.#parts, now);
    const isLate = behindMs > maxWaitMs + 1 || !this.#reserver.mayComeBy(deadline, capability, request, now);
    const isFull = shares.isFullFor(key, waiters.size);
    const refusal = this.#reserver.refusal(capability, request, now, behindMs);
    return { outcome: isFull || isLate ? "refused" : "waits", decision: null, refusal, ahead };
  }

  /** Grants a lease immediately, or queues the call, or throws. */
  begin(
    capability: Capability,
    request: RequestSpec,
    options: WaitOptions,
    maxWaitMs: number,
    caller: Caller | undefined,
    now: number,
  ): ActiveLease | Promise<ActiveLease> {
    const scheduler = this.#scheduler;
    if (scheduler.isIdle) scheduler.reset();
    const { priority = 0, fairnessKey: key } = options;
    const deadline = now + maxWaitMs;
    const queue = scheduler.waiters;
    const share = this.#scheduler.shares.find(capability, priority, key);
    const waiting = queue.groupOf(capability.list, request);
    const own = share && waiting && queueIn(waiting, capability.name, priority, share);
    const hasReturned = caller?.order !== undefined;
    const isFull = !caller?.mayOverfill && deadline > now && this.#scheduler.shares.isFullFor(key, queue.size);
    // A call that asks again keeps its order, and the first one of a key has a turn of its own, granted by the next pass.
    // A full queue has no turn for it, only the capacity that no waiter claims.
    const hasTurn =
      queue.size > 0 &&
      deadline > now &&
      !isFull &&
      (hasReturned || (own === undefined && (key !== undefined || this.#scheduler.shares.haveKeys)));
    const order = caller?.order ?? this.#orders++;
    if (caller !== undefined) caller.order = order;
    const parts = this.#parts;
    const { registry } = parts;
    let ranking: Ranking | null = null;
    const equal = own?.last?.hasVerdictOf(request, deadline) ? own.last : null;
    if (isFull || hasTurn || equal === null) {
      const position = { priority, order };
      ranking = this.rank(capability, request, position, now);
      const lease = hasTurn ? null : this.#reserver.grant(capability, request, ranking, position, options, now, now);
      if (lease !== null) {
        if (share !== undefined) this.#scheduler.shares.charge(share, lease, options.fairnessWeight);
        return lease;
      }
      if (isFull || !this.#reserver.mayComeBy(deadline, capability, request, now, caller?.failures)) {
        const delayMs = hasReturned ? 0 : delayBehind(waiting, { capability, request, priority, share }, parts, now);
        throw this.#reserver.refuseCall(capability, request, isFull ? "queue_full" : "refused", now, caller, delayMs);
      }
    }
    const load = equal === null ? loadOf(request, capability, registry) : equal.load;
    if (waiting !== undefined && load !== null && !hasReturned && deadline < Infinity) {
      const behindMs = waitBehind(waiting, { load, capability, request, priority, share, maxWaitMs }, parts, now);
      if (behindMs > 0) throw this.#reserver.refuseCall(capability, request, "refused", now, caller, behindMs);
    }
    const joined = this.#scheduler.shares.join(capability, request, priority, key);
    const waiter = new Waiter(capability.name, request, options, deadline, order, now, caller, joined);
    try {
      waiter.unwatch = this.#context.watch(options.signal, deadline, () => scheduler.end(waiter));
    } catch (error) {
      this.#scheduler.shares.leave(joined);
      throw error;
    }
    if (waiter.trialRank > 0) scheduler.addRanked();
    else waiter.load = load;
    if (caller !== undefined) caller.withdraw = (error) => void scheduler.reject(waiter, error);
    const group = queue.add(waiter, capability.list);
    this.#reserver.reportWait(capability, request, now);
    if (ranking !== null && group.bounds !== null) addToBounds(group.bounds, waiter, capability, registry);
    const isFirst = waiter.queue!.first === waiter && group.lanes.size > 1 && this.#parts.weighted !== null;
    if (isFirst && queue.isDeferred(group) && isShutOut(waiter, this.#claims, registry)) {
      queue.defer(waiter);
      scheduler.requestPassBy(scheduler.nextDueAt());
    } else if (hasTurn || (isFirst && queue.canDefer)) scheduler.requestPass();
    else if (ranking !== null) {
      if (!scheduler.isServing && queue.hasDeferred && !isShutOut(waiter, this.#claims, registry)) {
        this.#scheduler.evaluateAll(now);
        ranking = rank(capability, request, this.#parts, now, true);
      }
      scheduler.stay(waiter, group, capability, ranking, now);
    }
    return waiter.result;
  }
}
