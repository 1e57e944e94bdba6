// Order in which waiters are served: higher priority first, first come first served within one priority.
//
//   lane:   waiters of one capability, kind and priority, in order of arrival (kind: which amounts and providers are
//           specified)
//   group:  lanes of one kind and priority that share a list of providers
//   pass:   evaluates the first waiters of the lanes, in order, until none of the remaining ones can be served
//
// Regimes: if a waiter claims capacity at every provider that it might go to, the waiters behind it in its lane are not
// evaluated. If that shuts out its whole group, and only lanes of that group are left, they are deferred, so that a pass takes
// as long as there are waiters served. Deferred lanes have not renewed their claims: they are resumed before a call is
// granted anything that the other claims leave. If a waiter is too large for one of the providers, the next smaller one of
// its lane might fit there and is evaluated.

import { TimerHeap } from "../clock/timer-heap.ts";
import type { ProviderList } from "../provider/provider-list.ts";
import type { RequestSpec } from "../selection/request-spec.ts";
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
  #isInPass = false;
  /** The group that the last pass has not finished; null: none. */
  #deferred: LaneGroup | null = null;
  /** Lanes that the last pass has finished. */
  #finished: Lane[] = [];

  constructor(evaluate: Evaluate) {
    this.#evaluate = evaluate;
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

  /** Puts the waiter into its lane, in the order of arrival; returns the group. */
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
    }
    lane.add(waiter);
    if (lane.first === waiter) {
      if (lane.last !== waiter) group.bounds = null;
      this.#open(lane);
    }
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
    this.#openFinished();
    const open = new TimerHeap<LaneGroup>();
    for (const groups of this.#groups.values()) {
      for (const group of groups.values()) {
        group.hasNewBounds = false;
        open.put(group);
      }
    }
    this.#run(open, true, now);
  }

  /** True if the last pass has deferred lanes, so that their claims are missing. */
  get hasDeferred(): boolean {
    return this.#deferred !== null && !this.#isInPass;
  }

  /** Evaluates the lanes that the last pass has deferred. */
  resume(now: number): void {
    if (this.#deferred === null || this.#isInPass) return;
    const open = new TimerHeap<LaneGroup>();
    open.put(this.#deferred);
    this.#run(open, false, now);
  }

  #run(open: TimerHeap<LaneGroup>, canDefer: boolean, now: number): void {
    this.#isInPass = true;
    this.#deferred = null;
    try {
      for (let group = open.first; group !== undefined; group = open.first) {
        const lane = group.waiting.first;
        const verdict = lane === undefined ? "gone" : this.#step(lane, now);
        if (group.waiting.first === undefined) open.remove(group);
        else open.put(group);
        // Lanes of other groups come after the claims of the lanes ahead of them.
        const isLastGroup = open.size === 1 && open.first === group;
        if (verdict !== "group stays" || !canDefer || !isLastGroup) continue;
        open.remove(group);
        this.#deferred = group;
      }
    } finally {
      this.#isInPass = false;
      if (this.#deferred === null) this.#openFinished();
    }
  }

  #step(lane: Lane, now: number): Verdict {
    const { group, cursor: waiter } = lane;
    group.waiting.remove(lane);
    // A strategy might have removed the last waiter of the lane.
    if (waiter === null) {
      this.#finished.push(lane);
      return "gone";
    }
    const { next } = waiter;
    const verdict = this.#evaluate(waiter, group, now);
    let cursor = verdict === "gone" || verdict === "stays" ? next : null;
    // A waiter that needs at least as much of everything cannot be served either.
    if (verdict === "stays") while (cursor?.request.isAtLeast(waiter.request)) cursor = cursor.next;
    // It might have removed the next one, too.
    lane.cursor = cursor?.lane === lane ? cursor : null;
    if (lane.cursor !== null) group.waiting.put(lane);
    else this.#finished.push(lane);
    return verdict;
  }

  /** Lets passes evaluate a lane with a new first waiter, which the call that added it evaluates, or the next pass. */
  #open(lane: Lane): void {
    if (this.#isInPass || this.#deferred !== null) this.#finished.push(lane);
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
    this.#deferred = null;
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
