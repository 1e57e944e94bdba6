// Order in which waiters are served: higher priority first, first come first served within one priority.
//
//   lane:   waiters of one capability, kind and priority, in order of arrival (kind: which amounts and providers are
//           specified)
//   group:  lanes of one kind and priority whose capabilities share a list of providers
//   pass:   evaluates the first waiters of the lanes, in order, until none of the remaining ones can be served
//
// Regimes: if a waiter claims capacity at every provider that it might go to, the waiters behind it in its lane are not
// evaluated. If no waiter of its group can be served or has lost hope, the other lanes of the group are deferred as well, so
// that a pass takes as long as there are waiters served and groups waiting. Deferred lanes have not renewed their claims:
// they are resumed before anything is granted that their claims might prevent. If a waiter is too large for one of the
// providers, the next smaller one of its lane might fit there and is evaluated.

import { TimerHeap } from "../clock/timer-heap.ts";
import type { ProviderList } from "../provider/provider-list.ts";
import type { RequestSpec } from "../selection/request-spec.ts";
import { DemandBounds } from "./demand-bounds.ts";
import { Lane, LaneGroup, type Waiter } from "./waiter.ts";

/** Result of the evaluation of a waiter: it left the queue, or it stays alone, with its lane, or with its group. */
export type Verdict = "gone" | "stays" | "lane stays" | "group stays";

/** Evaluates a waiter at an instant: serves it, rejects it, or claims capacity for it. */
type Evaluate = (waiter: Waiter, group: LaneGroup, now: number) => Verdict;

/** The waiters of one limiter. */
export class WaitQueue {
  readonly #groups = new Map<ProviderList | null, Map<string, LaneGroup>>();
  readonly #counts = new Map<string, number>();
  size = 0;
  readonly #evaluate: Evaluate;
  /** True if the waiter cannot be served because of claims ahead, wherever it might go. */
  readonly #isShut: (waiter: Waiter) => boolean;
  #isInPass = false;
  /** Groups whose other lanes the last pass has deferred. */
  #deferred: LaneGroup[] = [];
  /** Lanes that the last pass has finished. */
  #finished: Lane[] = [];

  constructor(evaluate: Evaluate, isShut: (waiter: Waiter) => boolean) {
    this.#evaluate = evaluate;
    this.#isShut = isShut;
  }

  /** Number of waiters by capability. */
  get counts(): { readonly [capability: string]: number } {
    return Object.fromEntries(this.#counts);
  }

  *[Symbol.iterator](): IterableIterator<Waiter> {
    for (const groups of this.#groups.values()) {
      for (const { lanes } of groups.values()) {
        for (const { first } of lanes.values()) for (let each = first; each !== null; each = each.next) yield each;
      }
    }
  }

  /** True if the last waiter of the lane has the same request and no later deadline, so that its verdict holds here, too. */
  hasEqual(capability: string, list: ProviderList, request: RequestSpec, priority: number, deadline: number): boolean {
    if (this.size === 0) return false;
    const last = this.#groups.get(list)?.get(keyOf(request, priority))?.lanes.get(capability)?.last;
    if (last === undefined || last === null || last.deadline > deadline) return false;
    return last.request === request || last.request.key === request.key;
  }

  /** Puts the waiter last in its lane; returns the group. */
  add(waiter: Waiter, list: ProviderList | null): LaneGroup {
    const { capability, request, priority } = waiter;
    let groups = this.#groups.get(list);
    if (groups === undefined) {
      groups = new Map();
      this.#groups.set(list, groups);
    }
    const key = keyOf(request, priority);
    let group = groups.get(key);
    if (group === undefined) {
      group = new LaneGroup(key, list, priority);
      groups.set(key, group);
    }
    let lane = group.lanes.get(capability);
    if (lane === undefined) {
      lane = new Lane(capability, group);
      group.lanes.set(capability, lane);
      // Bounds are worth their time only for several lanes.
      if (group.lanes.size === 2) group.bounds = null;
    }
    lane.add(waiter);
    if (lane.first === waiter) this.#open(lane);
    this.size++;
    this.#counts.set(capability, (this.#counts.get(capability) ?? 0) + 1);
    return group;
  }

  /** Removes the waiter, if it is in the queue. */
  remove(waiter: Waiter): void {
    const { lane, capability } = waiter;
    if (lane === null) return;
    const { group } = lane;
    lane.remove(waiter);
    if (lane.first === null) this.#drop(lane);
    else if (lane.place >= 0) group.waiting.put(lane);
    this.size--;
    const count = this.#counts.get(capability)! - 1;
    if (count === 0) this.#counts.delete(capability);
    else this.#counts.set(capability, count);
  }

  /** Moves the waiters of a capability that was given another list; null: it was removed. */
  move(capability: string, list: ProviderList | null): void {
    if (!this.#counts.has(capability)) return;
    const waiters = [...this].filter((waiter) => waiter.capability === capability);
    for (const waiter of waiters.sort((a, b) => a.order - b.order)) {
      this.remove(waiter);
      this.add(waiter, list);
    }
  }

  /** Evaluates the waiters in order. */
  pass(now: number): void {
    this.#isInPass = true;
    this.#openFinished();
    const open = new TimerHeap<LaneGroup>();
    for (const groups of this.#groups.values()) {
      for (const group of groups.values()) {
        group.evaluated = group.lanes.size > 1 ? new DemandBounds() : null;
        open.put(group);
      }
    }
    this.#run(open, true, now);
  }

  get hasDeferred(): boolean {
    return this.#deferred.length > 0 && !this.#isInPass;
  }

  /** Evaluates the lanes that the last pass has deferred. */
  resume(now: number): void {
    if (!this.hasDeferred) return;
    this.#isInPass = true;
    const open = new TimerHeap<LaneGroup>();
    for (const group of this.#deferred) open.put(group);
    this.#run(open, false, now);
  }

  #run(open: TimerHeap<LaneGroup>, canDefer: boolean, now: number): void {
    let mayDefer = canDefer;
    let deferred: LaneGroup[] = [];
    try {
      for (let group = open.first; group !== undefined; group = open.first) {
        const waiter = group.waiting.first?.cursor ?? null;
        if (waiter === null) {
          open.remove(group);
          group.bounds = group.evaluated;
        } else if (deferred.length > 0 && !this.#isShut(waiter)) {
          // The claims of deferred lanes ahead come first.
          for (const each of deferred) open.put(each);
          deferred = [];
          mayDefer = false;
        } else {
          const verdict = this.#step(waiter, group, now);
          open.remove(group);
          if (verdict === "group stays" && mayDefer && group.waiting.first !== undefined) deferred.push(group);
          else open.put(group);
        }
      }
    } finally {
      this.#isInPass = false;
      this.#deferred = deferred;
      if (deferred.length === 0) this.#openFinished();
    }
  }

  #step(waiter: Waiter, group: LaneGroup, now: number): Verdict {
    const lane = waiter.lane!;
    const { next } = waiter;
    group.waiting.remove(lane);
    const verdict = this.#evaluate(waiter, group, now);
    let cursor = verdict === "gone" || verdict === "stays" ? next : null;
    // A waiter that needs at least as much of everything cannot be served either.
    if (verdict === "stays") while (cursor?.request.isAtLeast(waiter.request)) cursor = cursor.next;
    // A strategy might have removed the next waiter.
    lane.cursor = cursor?.lane === lane ? cursor : null;
    if (lane.cursor !== null) group.waiting.put(lane);
    else this.#finished.push(lane);
    return verdict;
  }

  /** Lets passes evaluate a new lane. Its first waiter was evaluated by the call that added it. */
  #open(lane: Lane): void {
    if (this.#isInPass || this.#deferred.length > 0) this.#finished.push(lane);
    else {
      lane.cursor = lane.first;
      lane.group.waiting.put(lane);
    }
  }

  #openFinished(): void {
    for (const lane of this.#finished) {
      lane.cursor = lane.first;
      if (lane.cursor !== null) lane.group.waiting.put(lane);
    }
    this.#finished = [];
    this.#deferred = [];
  }

  #drop(lane: Lane): void {
    const { group } = lane;
    group.waiting.remove(lane);
    group.lanes.delete(lane.capability);
    if (group.lanes.size > 0) return;
    const groups = this.#groups.get(group.list)!;
    groups.delete(group.key);
    if (groups.size === 0) this.#groups.delete(group.list);
  }
}

function keyOf(request: RequestSpec, priority: number): string {
  return `${priority} ${request.kind}`;
}
