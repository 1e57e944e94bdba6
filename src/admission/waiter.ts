import type { Lease } from "../api/lease.ts";
import type { RequestSpec } from "../selection/request-spec.ts";
import type { LeaseOptions } from "./reserver.ts";
import type { QueueEntry } from "./wait-queue.ts";

/** How one `acquire` waits. */
export interface WaitOptions extends LeaseOptions {
  readonly signal?: AbortSignal | undefined;
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
  resolve!: (lease: Lease) => void;
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
  ) {
    this.capability = capability;
    this.request = request;
    this.priority = asked.priority ?? 0;
    this.signal = asked.signal;
    this.leaseTimeoutMs = asked.leaseTimeoutMs;
    this.order = order;
    this.since = since;
    this.deadline = deadline;
  }

  /** What it will have come to; `resolve` and `reject` are there from then on. */
  result(): Promise<Lease> {
    return new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }
}
