import type { RequestSpec } from "../selection/request-spec.ts";
import type { ActiveLease } from "./active-lease.ts";
import type { LeaseOptions } from "./reserver.ts";
import type { QueueEntry } from "./wait-queue.ts";

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
  /** True if the call can join a full queue, too. */
  readonly mayOverfill: boolean;
  /** True if the call asks again after a refusal, which is therefore neither counted nor emitted. */
  readonly asksAgain: boolean;
  /** Ends the wait with that error. It is set when the call joins the queue. */
  withdraw: ((error: unknown) => void) | undefined;
}

/** One `acquire` that waits. */
export class Waiter implements QueueEntry {
  queue: QueueEntry["queue"] = null;
  next: QueueEntry | null = null;
  previous: QueueEntry | null = null;
  hasClaims = false;
  /** When what it waits for was to come, at its last look. */
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
  resolve!: (lease: ActiveLease) => void;
  reject!: (error: unknown) => void;
  /** Takes the alarm and the listener down that would end its waiting. */
  unwatch!: () => void;

  constructor(
    capability: string,
    request: RequestSpec,
    asked: WaitOptions,
    deadline: number,
    order: number,
    since: number,
    caller: Caller | undefined,
  ) {
    this.capability = capability;
    this.request = request;
    this.priority = asked.priority ?? 0;
    this.signal = asked.signal;
    this.leaseTimeoutMs = asked.leaseTimeoutMs;
    this.order = order;
    this.since = since;
    this.deadline = deadline;
    this.caller = caller;
  }

  /** What it will have come to; `resolve` and `reject` are there from then on. */
  result(): Promise<ActiveLease> {
    return new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }
}
