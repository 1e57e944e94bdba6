import { type Due, TimerHeap } from "../clock/timer-heap.ts";
import type { ProviderList } from "../provider/provider-list.ts";
import type { RequestSpec } from "../selection/request-spec.ts";
import type { ActiveLease } from "./active-lease.ts";
import type { DemandBounds } from "./demand-bounds.ts";

/** How one lease is requested. */
export interface LeaseOptions {
  /** Default 0. */
  readonly priority?: number | undefined;
  readonly leaseTimeoutMs?: number | undefined;
}

/** How one `acquire` waits. */
export interface WaitOptions extends LeaseOptions {
  readonly signal?: AbortSignal | undefined;
}

/** A call that asks for leases until one of its attempts is final. */
export interface Caller {
  /** Position in the order of arrival, which the first request for a lease sets. */
  order: number | undefined;
  /** Failed attempts so far. */
  readonly failures: number;
  /** Rank among the waiters for a trial: lower first. Infinity: only if no other waits. */
  readonly trialRank: number;
  /** True if the call can join a full queue, too. */
  readonly mayOverfill: boolean;
  /** True if the call asks again after a refusal, which is therefore neither counted nor emitted. */
  readonly asksAgain: boolean;
  /** Ends the wait with that error. It is set when the call joins the queue. */
  withdraw: ((error: unknown) => void) | undefined;
}

/** One `acquire` that waits. */
export class Waiter {
  // The lane that it is in, and its neighbours there.
  lane: Lane | null = null;
  next: Waiter | null = null;
  previous: Waiter | null = null;
  /** True if it claims something, so that its departure might let others go. */
  hasClaims = false;
  /** When capacity for it was expected at its last evaluation. */
  expectedAt: number = Infinity;
  readonly capability: string;
  readonly request: RequestSpec;
  readonly priority: number;
  readonly signal: AbortSignal | undefined;
  readonly leaseTimeoutMs: number | undefined;
  readonly order: number;
  readonly since: number;
  readonly deadline: number;
  readonly caller: Caller | undefined;
  /** Rank among the waiters for a trial when it joined the queue. */
  readonly trialRank: number;
  readonly result: Promise<ActiveLease>;
  resolve!: (lease: ActiveLease) => void;
  reject!: (error: unknown) => void;
  /** Removes the alarm and the listener that would end the wait. */
  unwatch!: () => void;

  constructor(
    capability: string,
    request: RequestSpec,
    options: WaitOptions,
    deadline: number,
    order: number,
    since: number,
    caller: Caller | undefined,
  ) {
    this.capability = capability;
    this.request = request;
    this.priority = options.priority ?? 0;
    this.signal = options.signal;
    this.leaseTimeoutMs = options.leaseTimeoutMs;
    this.order = order;
    this.since = since;
    this.deadline = deadline;
    this.caller = caller;
    this.trialRank = caller?.trialRank ?? 0;
    this.result = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }
}

/** Waiters of one capability, kind and priority, in order of arrival. */
export class Lane implements Due {
  readonly capability: string;
  readonly group: LaneGroup;
  readonly dueAt = 0;
  place = -1;
  first: Waiter | null = null;
  last: Waiter | null = null;
  /** The next waiter to be evaluated in a pass. */
  cursor: Waiter | null = null;

  constructor(capability: string, group: LaneGroup) {
    this.capability = capability;
    this.group = group;
  }

  get order(): number {
    return this.cursor?.order ?? Infinity;
  }

  /** Adds the waiter in the order of arrival: last, unless its call has waited before. */
  add(waiter: Waiter): void {
    let next: Waiter | null = null;
    if (this.last !== null && this.last.order > waiter.order) {
      for (next = this.first; next!.order < waiter.order; ) next = next!.next;
    }
    waiter.lane = this;
    waiter.next = next;
    waiter.previous = next === null ? this.last : next.previous;
    if (waiter.previous === null) this.first = waiter;
    else waiter.previous.next = waiter;
    if (next === null) this.last = waiter;
    else next.previous = waiter;
  }

  remove(waiter: Waiter): void {
    const { previous, next } = waiter;
    if (this.cursor === waiter) this.cursor = next;
    if (previous === null) this.first = next;
    else previous.next = next;
    if (next === null) this.last = previous;
    else next.previous = previous;
    waiter.lane = null;
    waiter.next = null;
  }
}

/** The lanes of one kind and priority that share a list of providers. */
export class LaneGroup implements Due {
  readonly key: string;
  readonly list: ProviderList | null;
  readonly dueAt: number;
  place = -1;
  readonly lanes: Map<string, Lane> = new Map();
  /** The lanes that this pass can still evaluate, by the order of their next waiters. */
  readonly waiting: TimerHeap<Lane> = new TimerHeap();
  /** Bounds of the demands of all waiters, and perhaps of some that have left; null: not computed. */
  bounds: DemandBounds | null = null;
  /** True if the bounds were computed in this pass. */
  hasNewBounds = false;

  constructor(key: string, list: ProviderList | null, priority: number) {
    this.key = key;
    this.list = list;
    this.dueAt = -priority;
  }

  get order(): number {
    return this.waiting.first?.order ?? Infinity;
  }
}
