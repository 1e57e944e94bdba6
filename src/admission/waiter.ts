import type { FairnessOptions } from "../api/run-options.ts";
import { type Due, TimerHeap } from "../clock/timer-heap.ts";
import type { ProviderList } from "../provider/provider-list.ts";
import { addTo, emptyLoad, type UsageVector } from "../quota/usage-vector.ts";
import type { RequestSpec } from "../selection/request-spec.ts";
import type { ActiveLease } from "./active-lease.ts";
import type { DemandBounds } from "./demand-bounds.ts";
import type { Share } from "./fair-shares.ts";

/** How one lease is requested. */
export interface LeaseOptions extends FairnessOptions {
  /** Default 0. */
  readonly priority?: number | undefined;
  readonly leaseTimeoutMs?: number | undefined;
}

/** Position of a call in the order of service, as far as calls of one key are concerned. */
export interface QueuePosition {
  readonly priority: number;
  /** Order of arrival. Infinity: behind all. */
  readonly order: number;
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
export class Waiter implements QueuePosition {
  // The queue of its key that it is in, and its neighbours there.
  queue: KeyQueue | null = null;
  next: Waiter | null = null;
  previous: Waiter | null = null;
  /** True if it claims something, so that its departure might let others go. */
  hasClaims = false;
  /** Its load on the providers, if no call behind it can overtake it; else null. */
  load: UsageVector | null = null;
  /** When capacity for it was expected at its last evaluation. */
  expectedAt: number = Infinity;
  readonly capability: string;
  readonly request: RequestSpec;
  readonly priority: number;
  readonly share: Share<KeyQueue>;
  readonly weight: number;
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
    share: Share<KeyQueue>,
  ) {
    this.capability = capability;
    this.request = request;
    this.priority = options.priority ?? 0;
    this.share = share;
    this.weight = options.fairnessWeight ?? 1;
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

  /** True if it is served first if both wait for the same capacity. */
  isAheadOf(other: Waiter): boolean {
    return (other.priority - this.priority || this.share.tag - other.share.tag || this.order - other.order) < 0;
  }

  /** True if a request behind it has the same verdict, because it is equal and its deadline is no earlier. */
  hasVerdictOf(request: RequestSpec, deadline: number): boolean {
    return this.deadline <= deadline && (this.request === request || this.request.key === request.key);
  }
}

/** A part of the wait queue, sorted by the next waiter in it: by priority, by the tag of its key, then by arrival. */
interface Turn extends Due {
  dueAt: number;
  tag: number;
  order: number;
}

/** Parts of the wait queue that a pass can still evaluate. It is a part of the next larger one itself. */
class Tier<Part extends Turn> extends TimerHeap<Part> implements Turn {
  dueAt = 0;
  tag = 0;
  order = 0;
  place = -1;
  readonly #parent: Tier<Tier<Part>> | null;
  #isBlocked = false;
  /** Load of its waiters. */
  readonly load: UsageVector = emptyLoad();

  constructor(parent: Tier<Tier<Part>> | null) {
    super();
    this.#parent = parent;
  }

  /** Adds a part, or moves it after its next waiter or its tag changed. */
  override put(part: Part): void {
    super.put(part);
    this.#update();
  }

  /** Excludes a part from the evaluation. */
  override remove(part: Part): void {
    super.remove(part);
    this.#update();
  }

  /** Counts the load of a waiter, or with `sign` -1 no longer. */
  count(load: UsageVector, sign: 1 | -1): void {
    addTo(this.load, load, sign);
    this.#parent?.count(load, sign);
  }

  /** Excludes the whole tier from the evaluation, or includes it again. */
  block(isBlocked: boolean): void {
    this.#isBlocked = isBlocked;
    if (isBlocked) this.#parent!.remove(this);
    else this.#update();
  }

  protected override isBefore(a: Part, b: Part): boolean {
    return (a.dueAt - b.dueAt || a.tag - b.tag || a.order - b.order) < 0;
  }

  #update(): void {
    const { first } = this;
    if (this.#isBlocked || this.#parent === null) return;
    if (first === undefined) this.#parent.remove(this);
    else {
      // Copies, because a heap allows only one of its keys to change at a time.
      this.dueAt = first.dueAt;
      this.tag = first.tag;
      this.order = first.order;
      this.#parent.put(this);
    }
  }
}

/** The waiters of one lane and fairness key, in order of arrival. */
export class KeyQueue implements Turn {
  readonly lane: Lane;
  readonly share: Share<KeyQueue>;
  readonly dueAt: number;
  tag = 0;
  order = 0;
  place = -1;
  first: Waiter | null = null;
  last: Waiter | null = null;
  /** The next waiter to be evaluated in a pass. */
  cursor: Waiter | null = null;
  /** Load of its waiters. */
  readonly load: UsageVector = emptyLoad();

  constructor(lane: Lane, share: Share<KeyQueue>, priority: number) {
    this.lane = lane;
    this.share = share;
    this.dueAt = -priority;
  }

  /** Counts the load of a waiter, or with `sign` -1 no longer. */
  count({ load }: Waiter, sign: 1 | -1): void {
    if (load === null) return;
    addTo(this.load, load, sign);
    this.lane.count(load, sign);
  }

  /** Moves it to its turn, after its cursor or its tag changed. */
  update(): void {
    if (this.cursor === null) this.lane.remove(this);
    else {
      this.tag = this.share.tag;
      this.order = this.cursor.order;
      this.lane.put(this);
    }
  }

  /** Adds the waiter in the order of arrival: last, unless its call has waited before. */
  add(waiter: Waiter): void {
    let next: Waiter | null = null;
    if (this.last !== null && this.last.order > waiter.order) {
      for (next = this.first; next!.order < waiter.order; ) next = next!.next;
    }
    waiter.queue = this;
    waiter.next = next;
    waiter.previous = next === null ? this.last : next.previous;
    if (waiter.previous === null) this.first = waiter;
    else waiter.previous.next = waiter;
    if (next === null) this.last = waiter;
    else next.previous = waiter;
    this.count(waiter, 1);
  }

  remove(waiter: Waiter): void {
    const { previous, next } = waiter;
    if (this.cursor === waiter) this.cursor = next;
    if (previous === null) this.first = next;
    else previous.next = next;
    if (next === null) this.last = previous;
    else next.previous = previous;
    waiter.queue = null;
    waiter.next = null;
    this.count(waiter, -1);
    this.update();
  }
}

/** The waiters of one capability, kind and priority. */
export class Lane extends Tier<KeyQueue> {
  readonly key: string;
  readonly group: LaneGroup;
  readonly priority: number;
  readonly queues: Map<Share<KeyQueue>, KeyQueue> = new Map();

  constructor(key: string, group: LaneGroup, priority: number) {
    super(group);
    this.key = key;
    this.group = group;
    this.priority = priority;
  }
}

/** The lanes of one kind that share a list of providers. */
export class LaneGroup extends Tier<Lane> {
  readonly key: string;
  readonly list: ProviderList | null;
  readonly lanes: Map<string, Lane> = new Map();
  /** Largest load of a waiter, perhaps of one that has left. */
  readonly largest: UsageVector = emptyLoad();
  /** Bounds of the demands of all waiters, and perhaps of some that have left; null: not computed. */
  bounds: DemandBounds | null = null;
  /** The pass in which the bounds were computed. */
  boundsOfPass = 0;

  constructor(key: string, list: ProviderList | null, parent: LaneGroups) {
    super(parent);
    this.key = key;
    this.list = list;
  }

  override count(load: UsageVector, sign: 1 | -1): void {
    super.count(load, sign);
    for (const [index, amount] of load.entries()) this.largest[index] = Math.max(this.largest[index]!, amount);
  }
}

/** The groups of a wait queue. */
export class LaneGroups extends Tier<LaneGroup> {
  constructor() {
    super(null);
  }
}
