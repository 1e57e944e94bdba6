// Waiting for a lease: when the queue is evaluated, and what becomes of each waiter.
//
//   a call:   is granted a lease immediately, or rejected because no capacity can become available in time, or queued
//   a pass:   runs whenever capacity might have become available, and at the earliest instant at which it is known to;
//             each waiter that it evaluates is served, or claims its demand, or is rejected because hope is lost
//
// Regimes: known instants are those at which a window releases enough, a cooldown, a ramp or a reservation ends, or health
// heals. Every other change that frees capacity is a call, and says so.

import { NoAvailableProviders } from "../errors.ts";
import type { Capability } from "../provider/capability.ts";
import type { Provider } from "../provider/provider.ts";
import type { Ranking } from "../selection/ranking.ts";
import { refusalOf } from "../selection/refusal.ts";
import type { RequestSpec } from "../selection/request-spec.ts";
import { rank } from "../selection/select.ts";
import type { SelectionContext } from "../selection/selection-context.ts";
import { abortOf } from "./abort-signals.ts";
import type { ActiveLease } from "./active-lease.ts";
import { delayBehind, loadOf, waitBehind } from "./backlog.ts";
import type { Claims } from "./claims.ts";
import { FairShares } from "./fair-shares.ts";
import { addToBounds, isWithinBounds } from "./group-bounds.ts";
import type { LeaseContext } from "./lease-context.ts";
import { prospectOf } from "./prospect.ts";
import type { AdmissionOptions, Reserver } from "./reserver.ts";
import { isShutFor, isShutOut } from "./shut-out.ts";
import { trialsOutOfTurn } from "./trial-turn.ts";
import { queueIn, type Verdict, WaitQueue } from "./wait-queue.ts";
import { type Caller, type KeyQueue, type LaneGroup, Waiter, type WaitOptions } from "./waiter.ts";

/** Serves the wait queue of one limiter. */
export class QueueScheduler {
  readonly #context: LeaseContext;
  readonly #parts: SelectionContext;
  readonly #claims: Claims;
  readonly #reserver: Reserver;
  readonly #shares: FairShares<KeyQueue>;
  readonly #queue: WaitQueue = new WaitQueue((waiter, group, now) => this.#evaluate(waiter, group, now));
  /** Capacity might have become available since the last pass. */
  #hasRoom = false;
  #isServing = false;
  /** A call freed capacity since the last pass began. */
  #wasFreed = false;
  #orders = 0;
  /** Waiters with a trial rank. */
  #ranked = 0;
  #nextEvaluationAt = Infinity;

  constructor(
    context: LeaseContext,
    parts: SelectionContext,
    claims: Claims,
    reserver: Reserver,
    options: AdmissionOptions,
  ) {
    this.#context = context;
    this.#parts = parts;
    this.#claims = claims;
    this.#reserver = reserver;
    this.#shares = new FairShares(parts.registry, options);
  }

  /** True if nothing waits, and no claim is left of a former waiter. */
  get isIdle(): boolean {
    return this.#queue.size === 0 && this.#claims.isEmpty;
  }

  /** When the queue is evaluated again even if nothing happens. Infinity: never. */
  get nextEvaluationAt(): number {
    return this.#queue.size > 0 ? this.#nextEvaluationAt : Infinity;
  }

  get waiters(): WaitQueue {
    return this.#queue;
  }

  capacityFreed(): void {
    this.#hasRoom = true;
    this.#wasFreed = true;
  }

  /** The capability has another list of providers now, or was removed. */
  capabilityChanged(name: string): void {
    this.#queue.move(name, this.#parts.registry.capabilities.get(name)?.list ?? null);
  }

  /** Rejects all waiters. */
  rejectAll(error: () => unknown): void {
    for (const waiter of [...this.#queue]) {
      this.#leave(waiter);
      waiter.reject(error());
    }
  }

  /** Runs a pass if capacity might have become available; called unless the queue is idle. */
  serve(now: number): void {
    if (now >= this.#nextEvaluationAt) this.#hasRoom = true;
    if (!this.#hasRoom || this.#isServing) return;
    this.#isServing = true;
    this.#wasFreed = false;
    this.#nextEvaluationAt = Infinity;
    try {
      if (!this.isIdle) {
        this.#claims.clear();
        this.#queue.reopen();
        if (this.#ranked > 0) {
          const turns = trialsOutOfTurn(this.#queue, this.#parts, now);
          for (const [provider, waiter] of turns) this.#evaluate(waiter, null, now, provider);
        }
        if (!this.#queue.pass(now, true)) this.#evaluateAll(now);
        const { fleet } = this.#context;
        if (fleet) for (const waiter of fleet.answeredCalls(now)) this.#giveUp(waiter as Waiter, now, "refused");
      }
    } finally {
      this.#isServing = false;
      this.#hasRoom = this.#wasFreed;
      // Not immediately: a strategy that always frees capacity would never return.
      if (this.#wasFreed) this.#nextEvaluationAt = Math.min(this.#nextEvaluationAt, now + 1);
    }
  }

  /** Renews all claims, those of deferred lanes too. */
  #evaluateAll(now: number): void {
    this.#claims.clear();
    this.#queue.pass(now, false);
  }

  /** Ranks the providers for a lease, after all claims were renewed that might prevent it. */
  rank(capability: Capability, request: RequestSpec, priority: number, now: number): Ranking {
    const ranking = rank(capability, request, this.#parts, now, true);
    if (this.#isServing || !this.#queue.hasDeferred) return ranking;
    if (this.#reserver.best(request, ranking, priority, now) < 0) return ranking;
    this.#evaluateAll(now);
    return rank(capability, request, this.#parts, now, true);
  }

  /** Least time (ms) after which a call behind all waiters can be served. */
  delayMs(capability: Capability, request: RequestSpec, now: number): number {
    const call = { capability, request, priority: -Infinity, share: undefined };
    return delayBehind(this.#queue.groupOf(capability.list, request), call, this.#parts.registry, now);
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
    if (this.isIdle) {
      this.#hasRoom = this.#wasFreed = false;
      this.#nextEvaluationAt = Infinity;
    }
    const { priority = 0, fairnessKey: key } = options;
    const { fleet } = this.#context;
    const deadline = fleet?.deadlineOf(capability, request, now + maxWaitMs, now) ?? now + maxWaitMs;
    const queue = this.#queue;
    const share = this.#shares.find(capability, priority, key);
    const waiting = queue.groupOf(capability.list, request);
    const own = share && waiting && queueIn(waiting, capability.name, priority, share);
    const hasReturned = caller?.order !== undefined;
    const isFull = !caller?.mayOverfill && deadline > now && this.#shares.isFullFor(key, queue.size);
    // A call that asks again keeps its order, and the first one of a key has a turn of its own, granted by the next pass.
    // A full queue has no turn for it, only the capacity that no waiter claims.
    const hasTurn =
      queue.size > 0 &&
      deadline > now &&
      !isFull &&
      (hasReturned || (own === undefined && (key !== undefined || this.#shares.haveKeys)));
    const order = caller?.order ?? this.#orders++;
    if (caller !== undefined) caller.order = order;
    const { registry } = this.#parts;
    let ranking: Ranking | null = null;
    const equal = own?.last?.hasVerdictOf(request, deadline) ? own.last : null;
    if (isFull || hasTurn || equal === null) {
      ranking = this.rank(capability, request, priority, now);
      const lease = hasTurn ? null : this.#reserver.grant(capability, request, ranking, options, now, now);
      if (lease !== null) {
        if (share !== undefined) this.#shares.charge(share, lease, options.fairnessWeight);
        return lease;
      }
      if (isFull || !this.#reserver.mayComeBy(deadline, capability, request, now, caller?.failures)) {
        const delayMs = hasReturned ? 0 : delayBehind(waiting, { capability, request, priority, share }, registry, now);
        throw this.#reserver.refuseCall(capability, request, isFull ? "queue_full" : "refused", now, caller, delayMs);
      }
    }
    const load = equal === null ? loadOf(request, capability, registry) : equal.load;
    if (waiting !== undefined && load !== null && !hasReturned && deadline < Infinity) {
      const behindMs = waitBehind(waiting, { load, capability, request, priority, share, maxWaitMs }, registry, now);
      if (behindMs > 0) throw this.#reserver.refuseCall(capability, request, "refused", now, caller, behindMs);
    }
    const joined = this.#shares.join(capability, request, priority, key);
    const waiter = new Waiter(capability.name, request, options, deadline, order, now, caller, joined);
    try {
      waiter.unwatch = this.#context.watch(options.signal, deadline, () => this.#end(waiter));
    } catch (error) {
      this.#shares.leave(joined);
      throw error;
    }
    if (waiter.trialRank > 0) this.#ranked++;
    else waiter.load = load;
    fleet?.add(waiter, now + maxWaitMs);
    if (caller !== undefined) caller.withdraw = (error) => void this.#reject(waiter, error);
    const group = queue.add(waiter, capability.list);
    this.#reserver.reportWait(capability, request, now);
    if (ranking !== null && group.bounds !== null) addToBounds(group.bounds, waiter, capability, registry);
    const isFirst = waiter.queue!.first === waiter && group.lanes.size > 1 && this.#parts.weighted !== null;
    if (isFirst && queue.isDeferred(group) && isShutOut(waiter, this.#claims, registry)) {
      queue.defer(waiter);
      this.#nextEvaluationAt = Math.min(this.#nextEvaluationAt, this.#nextDueAt());
    } else if (hasTurn || (isFirst && queue.canDefer)) this.#hasRoom = true;
    else if (ranking !== null) {
      if (!this.#isServing && queue.hasDeferred && !isShutOut(waiter, this.#claims, registry)) {
        this.#evaluateAll(now);
        ranking = rank(capability, request, this.#parts, now, true);
      }
      this.#stay(waiter, group, capability, ranking, now);
    }
    return waiter.result;
  }

  /** Serves, rejects, or keeps a waiter. With `only` it is served by that provider, or its turn comes later. */
  #evaluate(waiter: Waiter, group: LaneGroup | null, now: number, only?: Provider): Verdict {
    const { request, deadline } = waiter;
    const abort = abortOf(waiter.signal);
    // The first of several waiters with one signal leaves the capacity to those that stay.
    if (abort !== null) return this.#reject(waiter, abort.reason);
    const capability = this.#parts.registry.capabilities.get(waiter.capability);
    if (capability === undefined) return this.#giveUp(waiter, now, "refused");
    const isOver = deadline < now;
    // If capacity was expected by the deadline, only the timer was late.
    if (isOver && waiter.expectedAt > deadline) return this.#giveUp(waiter, now, "timed_out");
    try {
      const ranking = rank(capability, request, this.#parts, now, true);
      if (this.#queue.hasDeferred && this.#reserver.best(request, ranking, waiter.priority, now, only) >= 0)
        return "restart";
      const lease = this.#reserver.grant(capability, request, ranking, waiter, waiter.since, now, only);
      if (lease === null && isOver) return this.#giveUp(waiter, now, "timed_out");
      if (lease === null) return group === null ? "stays" : this.#stay(waiter, group, capability, ranking, now);
      this.#leave(waiter);
      this.#shares.charge(waiter.share, lease, waiter.weight);
      waiter.resolve(lease);
    } catch (error) {
      return this.#reject(waiter, error);
    }
    return "gone";
  }

  /** Claims the demand of the waiter and finds when to evaluate it again; rejects it if nothing can come in time. */
  #stay(waiter: Waiter, group: LaneGroup, capability: Capability, ranking: Ranking, now: number): Verdict {
    const { request, priority, deadline } = waiter;
    const prospect = prospectOf(waiter, capability, ranking, this.#parts, this.#claims, this.#nextDueAt(), now);
    const { soonestAt, targets, isTooLarge, isReserved } = prospect;
    const isLate = soonestAt > deadline || soonestAt === Infinity;
    const isSafe = deadline <= now || !(isLate || this.#queue.hasDeferred);
    if (!isSafe && !this.#reserver.mayComeBy(deadline, capability, request, now, waiter.caller?.failures)) {
      // Behind the claims of the deferred waiters it might be late.
      return isLate ? this.#giveUp(waiter, now, "refused") : "restart";
    }
    let evaluateAt = Math.min(prospect.evaluateAt, this.#claims.add(targets, priority, now));
    waiter.hasClaims = true;
    this.#context.fleet?.callWaits();
    waiter.expectedAt = soonestAt;
    // A strategy of the caller has to be asked for each waiter.
    const canDefer =
      !(isTooLarge || this.#parts.weighted === null || group.lanes.size < 2) &&
      isShutFor(targets, this.#claims, priority) &&
      isWithinBounds(group, this.#parts.registry, this.#queue.passes, (bounds) =>
        targets.some(({ provider }) => this.#reserver.isHopeful(provider, bounds, now)),
      );
    // Once a reservation was counted, there might be no hope any more; the same holds for the deferred waiters.
    if (isReserved && (isLate || canDefer)) evaluateAt = Math.min(evaluateAt, this.#nextDueAt());
    this.#nextEvaluationAt = Math.min(this.#nextEvaluationAt, soonestAt, evaluateAt);
    if (isTooLarge) return "stays";
    return canDefer ? "group stays" : "lane stays";
  }

  /** When the next reservation or lease ends by itself. Infinity: none does. */
  readonly #nextDueAt = (): number => this.#context.leases.first?.dueAt ?? Infinity;

  /** The signal of the waiter has aborted, or its deadline has come, and with it a last evaluation. */
  #end(waiter: Waiter): void {
    const abort = abortOf(waiter.signal);
    if (abort !== null) this.#reject(waiter, abort.reason);
    const now = this.#context.beginStep();
    if (waiter.queue !== null) this.#giveUp(waiter, now, "timed_out");
  }

  #giveUp(waiter: Waiter, now: number, kind: "refused" | "timed_out"): Verdict {
    const capability = this.#parts.registry.capabilities.get(waiter.capability);
    this.#leave(waiter);
    waiter.reject(
      capability === undefined
        ? new NoAvailableProviders(waiter.capability, refusalOf<string>([]), { kind })
        : this.#reserver.refuseCall(capability, waiter.request, kind, now, waiter.caller),
    );
    return "gone";
  }

  #reject(waiter: Waiter, error: unknown): Verdict {
    this.#leave(waiter);
    waiter.reject(error);
    return "gone";
  }

  #leave(waiter: Waiter): void {
    if (waiter.queue !== null) {
      if (waiter.trialRank > 0) this.#ranked--;
      this.#queue.remove(waiter);
      this.#shares.leave(waiter.share);
    }
    if (waiter.hasClaims) this.#hasRoom = true;
    this.#context.fleet?.delete(waiter);
    waiter.unwatch();
  }
}
