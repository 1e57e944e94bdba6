// Order in which waiters are served: higher priority first, then the fairness key with the lowest tag (see fair-shares.ts), first
// come first served within one key.
//
//   queue:  waiters of one lane and key, in order of arrival
//   lane:   queues of one capability, kind and priority (kind: which amounts and providers are specified)
//   group:  lanes of one kind that share a list of providers
//   pass:   evaluates the first waiters of the lanes, in order, until none of the remaining ones can be served
//
// Regimes: if a waiter claims capacity at every provider that it might go to, the waiters behind it in its lane are not
// evaluated. If that shuts out its whole group, the other lanes of the group are deferred, so that a pass takes as long as there
// are waiters served. Deferred lanes have not renewed their claims: a pass that defers none comes before a waiter or a call is
// granted anything that the other claims leave. If a waiter is too large for one of the providers, the next smaller one of
// its key might fit there and is evaluated.

import type { KeyQuotas } from "../provider/key-limits.ts";
import type { ProviderList } from "../provider/provider-list.ts";
import type { Demand } from "../quota/usage-vector.ts";
import type { RequestSpec } from "../selection/request-spec.ts";
import type { Share } from "./fair-shares.ts";
import { HeldQueues } from "./held-queues.ts";
import { KeyQueue, Lane, LaneGroup, LaneGroups, type Waiter } from "./waiter.ts";

/**
 * Result of the evaluation of a waiter: it left the queue, or it stays alone, with those of its key, with its lane, or with
 * its group; or it could be served before deferred lanes, so that the pass must begin again and defer none.
 */
export type Verdict = "gone" | "stays" | "key stays" | "lane stays" | "group stays" | "restart";

/** Evaluates a waiter at an instant: serves it, rejects it, or claims capacity for it. */
type Evaluate = (waiter: Waiter, group: LaneGroup, now: number) => Verdict;

/** The waiters of one limiter. */
export class WaitQueue {
  readonly #groups = new Map<ProviderList | null, Map<string, LaneGroup>>();
  readonly #open = new LaneGroups();
  readonly #counts = new Map<string, number>();
  readonly #held: HeldQueues;
  size = 0;
  /** Number of passes so far. */
  passes = 0;
  readonly #evaluate: Evaluate;
  readonly #isShut: (group: LaneGroup, now: number) => boolean;
  #isInPass = false;
  /** The groups that the last pass has not finished. */
  readonly #deferred = new Set<LaneGroup>();
  /** True if the last pass had to evaluate all lanes. */
  #hasRestarted = false;
  /** Lanes that the last pass has finished, and queues of which it has evaluated the first waiter. */
  #finished: (Lane | KeyQueue)[] = [];

  /**
   * `isShut`: true if a pass need not evaluate a group. `onFreed` is called when a waiter must be evaluated that the limits of
   * its key held back.
   */
  constructor(evaluate: Evaluate, isShut: (group: LaneGroup, now: number) => boolean, onFreed: () => void) {
    this.#isShut = isShut;
    this.#held = new HeldQueues(onFreed);
    this.#evaluate = evaluate;
  }

  /** Number of waiters by capability. */
  get counts(): { readonly [capability: string]: number } {
    return Object.fromEntries(this.#counts);
  }

  *[Symbol.iterator](): IterableIterator<Waiter> {
    for (const groups of this.#groups.values()) {
      for (const group of groups.values()) yield* waitersOf(group);
    }
  }

  /** The group that such a request would join, if it exists. */
  groupOf(list: ProviderList, request: RequestSpec): LaneGroup | undefined {
    return this.size === 0 ? undefined : this.#groups.get(list)?.get(request.kind);
  }

  /** Puts the waiter into its queue, in the order of arrival; returns the group. */
  add(waiter: Waiter, list: ProviderList | null): LaneGroup {
    const { capability, request, priority, share } = waiter;
    let groups = this.#groups.get(list);
    if (groups === undefined) {
      groups = new Map();
      this.#groups.set(list, groups);
    }
    const { kind } = request;
    let group = groups.get(kind);
    if (group === undefined) {
      group = new LaneGroup(kind, list, this.#open);
      groups.set(kind, group);
    }
    const key = laneKey(capability, priority);
    let lane = group.lanes.get(key);
    if (lane === undefined) {
      lane = new Lane(key, group, priority);
      group.lanes.set(key, lane);
    }
    let queue = lane.queues.get(share);
    if (queue === undefined) {
      queue = new KeyQueue(lane, share, priority);
      lane.queues.set(share, queue);
      share.queues.add(queue);
    }
    queue.add(waiter);
    if (queue.first === waiter) {
      this.#held.free(queue);
      // The call that added it evaluates the new first waiter, or the next pass does.
      if (this.#isInPass || this.#deferred.size > 0) this.#finished.push(queue);
      else {
        queue.cursor = waiter;
        queue.update();
      }
    }
    this.size++;
    this.#counts.set(capability, (this.#counts.get(capability) ?? 0) + 1);
    return group;
  }

  /** Removes the waiter, if it is in the queue. */
  remove(waiter: Waiter): void {
    const { queue, capability } = waiter;
    if (queue === null) return;
    const isFirst = queue.first === waiter;
    queue.remove(waiter);
    if (isFirst) this.#held.free(queue);
    if (queue.first === null) this.#drop(queue);
    this.size--;
    const count = this.#counts.get(capability)! - 1;
    if (count === 0) this.#counts.delete(capability);
    else this.#counts.set(capability, count);
  }

  /** Leaves the queue of a first waiter out of the passes until its key might take one of the demands. */
  hold(waiter: Waiter, keyQuotas: KeyQuotas, demands: readonly Demand[], until: number, now: number): void {
    const queue = waiter.queue!;
    if (queue.first === waiter) this.#held.hold(queue, keyQuotas, demands, until, now);
  }

  /** Instant from which a pass might evaluate a held queue. `nextDueAt`: when the next lease changes by itself. */
  heldUntil(nextDueAt: number): number {
    return this.#held.nextAt(nextDueAt);
  }

  freeHeld(): void {
    this.#held.freeAll();
  }

  /** Moves the waiters of a capability that was given another list; null: it was removed. */
  move(capability: string, list: ProviderList | null): void {
    if (!this.#counts.has(capability)) return;
    const waiters = [...this].filter((waiter) => waiter.capability === capability);
    for (const waiter of waiters.sort((a, b) => a.order - b.order)) {
      this.remove(waiter);
      this.add(waiter, list).bounds = null;
    }
  }

  /** Evaluates the waiters in order, in lanes that can be deferred or not. False: it must be repeated without. */
  pass(now: number, canDefer: boolean): boolean {
    this.reopen();
    this.#held.freeDue(now);
    this.passes++;
    this.#isInPass = true;
    this.#hasRestarted = !canDefer;
    const open = this.#open;
    try {
      for (let group = open.first; group !== undefined; group = open.first) {
        if (!canDefer || !this.#isShut(group, now)) {
          const verdict = this.#step(group.first!.first!, now);
          if (verdict === "restart") return false;
          if (verdict !== "group stays" || !canDefer || group.first === undefined) continue;
        }
        group.block(true);
        this.#deferred.add(group);
      }
    } finally {
      this.#isInPass = false;
      if (this.#deferred.size === 0) this.reopen();
    }
    return true;
  }

  /** True if the pass has deferred lanes, so that their claims are missing. */
  get hasDeferred(): boolean {
    return this.#deferred.size > 0;
  }

  isDeferred(group: LaneGroup): boolean {
    return this.#deferred.has(group) && !this.#isInPass;
  }

  /** True if a pass could defer the lanes of a group. */
  get canDefer(): boolean {
    return !this.#hasRestarted;
  }

  /** Lets a new first waiter of a deferred group be evaluated with the group. */
  defer({ queue }: Waiter): void {
    queue!.cursor = queue!.first;
    queue!.update();
  }

  #step(queue: KeyQueue, now: number): Verdict {
    const { lane } = queue;
    const waiter = queue.cursor!;
    const { next } = waiter;
    const verdict = this.#evaluate(waiter, lane.group, now);
    if (verdict === "gone" || verdict === "restart") return verdict;
    if (verdict === "stays" || verdict === "key stays") {
      let cursor = verdict === "stays" ? next : null;
      // A waiter that needs at least as much of everything cannot be served either.
      while (cursor?.request.isAtLeast(waiter.request)) cursor = cursor.next;
      // It might have removed the next one, too.
      queue.cursor = cursor?.queue === queue ? cursor : null;
      queue.update();
      if (!this.#held.has(queue)) this.#finished.push(queue);
    } else {
      lane.block(true);
      this.#finished.push(lane);
    }
    return verdict;
  }

  /** Includes all lanes in the next evaluation. */
  reopen(): void {
    for (const group of this.#deferred) group.block(false);
    this.#deferred.clear();
    for (const part of this.#finished) {
      if (part instanceof Lane) part.block(false);
      else {
        part.cursor = part.first;
        part.update();
      }
    }
    this.#finished = [];
  }

  #drop({ lane, share }: KeyQueue): void {
    const { group, queues } = lane;
    share.queues.delete(queues.get(share)!);
    queues.delete(share);
    if (queues.size === 0) group.lanes.delete(lane.key);
    if (group.lanes.size > 0) return;
    const groups = this.#groups.get(group.list)!;
    groups.delete(group.key);
    if (groups.size === 0) this.#groups.delete(group.list);
  }
}

/** Yields the waiters of a group, in order of arrival within each queue. */
export function* waitersOf({ lanes }: LaneGroup): Generator<Waiter> {
  for (const { queues } of lanes.values()) {
    for (const { first } of queues.values()) for (let each = first; each !== null; each = each.next) yield each;
  }
}

/** The queue of a group that a waiter of that share would join, if it exists. */
export function queueIn(
  group: LaneGroup,
  capability: string,
  priority: number,
  share: Share<KeyQueue>,
): KeyQueue | undefined {
  return group.lanes.get(laneKey(capability, priority))?.queues.get(share);
}

function laneKey(capability: string, priority: number): string {
  return `${priority} ${capability}`;
}
