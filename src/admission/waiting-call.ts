import type { Request } from "../selection/request.ts";
import type { Asked } from "./granting.ts";
import type { Lease } from "./lease.ts";
import type { Waiter } from "./waiting-line.ts";

/** How one `acquire` waits. */
export interface Waiting extends Asked {
  readonly signal?: AbortSignal | undefined;
}

/** One `acquire` that waits. */
export class WaitingCall implements Waiter {
  queue: Waiter["queue"] = null;
  next: Waiter | null = null;
  previous: Waiter | null = null;
  hasClaims = false;
  /** When what it waits for was to come, at its last look. */
  hopeAt: number = Infinity;
  readonly capability: string;
  readonly request: Request;
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

  constructor(capability: string, request: Request, asked: Waiting, deadline: number, order: number, since: number) {
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
