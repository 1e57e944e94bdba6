// The passes over the wait queue: when they run, and what becomes of each waiter. Before that, arrivals.ts decides.
//
//   a pass:   runs whenever capacity might have become available, and at the earliest instant at which it is known to;
//             each waiter that it evaluates is served, or claims its demand, or is rejected because hope is lost
//
// Regimes: known instants are those at which a window releases enough, a cooldown, a ramp or a reservation ends, or health
// heals. Every other change that frees capacity is a call, and says so.

import { NoAvailableProviders } from "../errors.ts";
import type { Capability } from "../provider/capability.ts";
import type { Provider } from "../provider/provider.ts";
import type { Quota } from "../quota/quota.ts";
import type { Ranking } from "../selection/ranking.ts";
import { refusalOf } from "../selection/refusal.ts";
import { rank } from "../selection/select.ts";
import type { SelectionContext } from "../selection/selection-context.ts";
import { abortOf } from "./abort-signals.ts";
import type { Claims } from "./claims.ts";
import { FairShares } from "./fair-shares.ts";
import { isWithinBounds } from "./group-bounds.ts";
import type { LeaseContext } from "./lease-context.ts";
import { prospectOf } from "./prospect.ts";
import type { AdmissionOptions, Reserver } from "./reserver.ts";
import { isShutFor } from "./shut-out.ts";
import { trialsOutOfTurn } from "./trial-turn.ts";
import { type Verdict, WaitQueue } from "./wait-queue.ts";
import type { KeyQueue, LaneGroup, Waiter } from "./waiter.ts";

/** Serves the wait queue of one limiter. */
export class QueueScheduler {
  readonly #context: LeaseContext;
  readonly #parts: SelectionContext;
  readonly #claims: Claims;
  readonly #reserver: Reserver;
  readonly shares: FairShares<KeyQueue>;
  readonly #queue: WaitQueue = new WaitQueue(
    (waiter, group, now) => this.#evaluate(waiter, group, now),
    (group, now) => this.#isShut(group, now),
    () => this.requestPass(),
  );
  /** Capacity might have become available since the last pass. */
  #hasRoom = false;
  isServing = false;
  /** A call freed capacity since the last pass began. */
  #wasFreed = false;
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
    this.shares = new FairShares(parts.registry, options);
  }

  /** True if nothing waits, and no claim is left of a former waiter. */
  get isIdle(): boolean {
    return this.#queue.size === 0 && this.#claims.isEmpty;
  }

  /** Forgets what a former queue needed. */
  reset(): void {
    this.#hasRoom = this.#wasFreed = false;
    this.#nextEvaluationAt = Infinity;
  }

  /** Runs a pass at the end of the step, because of a waiter that has joined the queue. */
  requestPass(): void {
    this.#hasRoom = true;
  }

  /** Runs a pass at that instant at the latest. */
  requestPassBy(at: number): void {
    this.#nextEvaluationAt = Math.min(this.#nextEvaluationAt, at);
  }

  /** Counts a waiter that can get a trial out of turn. */
  addRanked(): void {
    this.#ranked++;
  }

  /** When the queue is evaluated again even if nothing happens. Infinity: never. */
  get nextEvaluationAt(): number {
    if (this.#queue.size === 0) return Infinity;
    return Math.min(this.#nextEvaluationAt, this.#queue.heldUntil(this.nextDueAt()));
  }

  get waiters(): WaitQueue {
    return this.#queue;
  }

  /** Any waiter might have lost hope, or found it. */
  configurationChanged(): void {
    this.#queue.freeHeld();
    this.capacityFreed();
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
    if (now >= this.nextEvaluationAt) this.#hasRoom = true;
    if (!this.#hasRoom || this.isServing) return;
    this.isServing = true;
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
        if (!this.#queue.pass(now, true)) this.evaluateAll(now);
      }
    } finally {
      this.isServing = false;
      this.#hasRoom = this.#wasFreed;
      // Not immediately: a strategy that always frees capacity would never return.
      if (this.#wasFreed) this.#nextEvaluationAt = Math.min(this.#nextEvaluationAt, now + 1);
    }
  }

  /** Renews all claims, those of deferred lanes too. */
  evaluateAll(now: number): void {
    this.#claims.clear();
    this.#queue.pass(now, false);
  }

  /** True if the claims of waiters ahead leave a group nothing, and none of its waiters has lost hope. */
  #isShut(group: LaneGroup, now: number): boolean {
    const { list } = group;
    const { registry, weighted } = this.#parts;
    const waiter = group.first!.first!.cursor!;
    if (weighted === null || list === null || waiter.request.needsNoRequest) return false;
    const listed = list.resolved(registry.providers);
    if (!this.#claims.areShut(listed)) return false;
    const isHopeful = isWithinBounds(group, registry, this.#queue.passes, (bounds) =>
      listed.some(({ provider }) => provider !== null && this.#reserver.isHopeful(provider, bounds, now)),
    );
    // Once a reservation was counted, there might be no hope any more.
    if (!isHopeful) return false;
    if (listed.some(({ provider }) => provider?.quotas.some(isCountedLater))) this.requestPassBy(this.nextDueAt());
    waiter.expectedAt = Infinity;
    waiter.hasClaims = true;
    return true;
  }

  /** Serves, rejects, or keeps a waiter. With `only` it is served by that provider, or its turn comes later. */
  #evaluate(waiter: Waiter, group: LaneGroup | null, now: number, only?: Provider): Verdict {
    const { request, deadline } = waiter;
    const abort = abortOf(waiter.signal);
    // The first of several waiters with one signal leaves the capacity to those that stay.
    if (abort !== null) return this.reject(waiter, abort.reason);
    const capability = this.#parts.registry.capabilities.get(waiter.capability);
    if (capability === undefined) return this.#giveUp(waiter, now, "refused");
    const isOver = deadline < now;
    // If capacity was expected by the deadline, only the timer was late.
    if (isOver && waiter.expectedAt > deadline) return this.#giveUp(waiter, now, "timed_out");
    try {
      const ranking = rank(capability, request, this.#parts, now, true);
      if (this.#queue.hasDeferred && this.#reserver.best(request, ranking, waiter, now, only) >= 0) return "restart";
      const lease = this.#reserver.grant(capability, request, ranking, waiter, waiter, waiter.since, now, only);
      if (lease === null && isOver) return this.#giveUp(waiter, now, "timed_out");
      if (lease === null) return group === null ? "stays" : this.stay(waiter, group, capability, ranking, now);
      this.#leave(waiter);
      this.shares.charge(waiter.share, lease, waiter.weight);
      waiter.resolve(lease);
    } catch (error) {
      return this.reject(waiter, error);
    }
    return "gone";
  }

  /** Claims the demand of the waiter and finds when to evaluate it again; rejects it if nothing can come in time. */
  stay(waiter: Waiter, group: LaneGroup, capability: Capability, ranking: Ranking, now: number): Verdict {
    const { request, priority, deadline } = waiter;
    const prospect = prospectOf(waiter, capability, ranking, this.#parts, this.#claims, this.nextDueAt(), now);
    const { soonestAt, targets, isTooLarge, isReserved, heldDemands, heldUntil } = prospect;
    const isLate = soonestAt > deadline || soonestAt === Infinity;
    const isSafe = deadline <= now || !(isLate || this.#queue.hasDeferred);
    if (!isSafe && !this.#reserver.mayComeBy(deadline, capability, request, now, waiter.caller?.failures)) {
      // Behind the claims of the deferred waiters it might be late.
      return isLate ? this.#giveUp(waiter, now, "refused") : "restart";
    }
    let evaluateAt = Math.min(prospect.evaluateAt, this.#claims.add(targets, priority, now));
    waiter.hasClaims = true;
    waiter.expectedAt = soonestAt;
    // A strategy of the caller has to be asked for each waiter.
    const canDefer =
      !(isTooLarge || heldDemands.length > 0 || this.#parts.weighted === null || group.lanes.size < 2) &&
      isShutFor(targets, this.#claims, priority) &&
      isWithinBounds(group, this.#parts.registry, this.#queue.passes, (bounds) =>
        targets.some(({ provider }) => this.#reserver.isHopeful(provider, bounds, now)),
      );
    // Once a reservation was counted, there might be no hope any more; the same holds for the deferred waiters.
    if (isReserved && (isLate || canDefer)) evaluateAt = Math.min(evaluateAt, this.nextDueAt());
    this.#nextEvaluationAt = Math.min(this.#nextEvaluationAt, soonestAt, evaluateAt);
    if (heldDemands.length > 0) {
      const keyQuotas = this.#parts.keyLimits!.of(request.fairnessKey, capability.name, now)!;
      if (targets.length === 0) this.#queue.hold(waiter, keyQuotas, heldDemands, heldUntil, now);
      return "key stays";
    }
    if (isTooLarge) return "stays";
    return canDefer ? "group stays" : "lane stays";
  }

  /** When the next reservation or lease ends by itself. Infinity: none does. */
  nextDueAt(): number {
    return this.#context.leases.first?.dueAt ?? Infinity;
  }

  /** The signal of the waiter has aborted, or its deadline has come, and with it a last evaluation. */
  end(waiter: Waiter): void {
    const abort = abortOf(waiter.signal);
    if (abort !== null) this.reject(waiter, abort.reason);
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

  reject(waiter: Waiter, error: unknown): Verdict {
    this.#leave(waiter);
    waiter.reject(error);
    return "gone";
  }

  #leave(waiter: Waiter): void {
    if (waiter.queue !== null) {
      if (waiter.trialRank > 0) this.#ranked--;
      this.#queue.remove(waiter);
      this.shares.leave(waiter.share);
    }
    if (waiter.hasClaims) this.#hasRoom = true;
    waiter.unwatch();
  }
}

/** True if reservations of the quota will be committed by themselves. */
function isCountedLater({ isHeldToEnd, reserved }: Quota): boolean {
  return !isHeldToEnd && reserved > 0;
}
