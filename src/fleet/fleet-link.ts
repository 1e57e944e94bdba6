import type { StoreInspection } from "../api/inspection.ts";
import type { Events } from "../events.ts";
import type { Counters } from "../metrics.ts";
import type { Capability } from "../provider/capability.ts";
import type { Registry } from "../provider/registry.ts";
import type { Quota } from "../quota/quota.ts";
import type { Ranking } from "../selection/ranking.ts";
import type { RequestSpec } from "../selection/request-spec.ts";

/** A call that waits for a lease. */
export interface FleetWaiter {
  readonly capability: string;
  readonly request: RequestSpec;
  /** Instant at which it joined the queue, and at which it gives up (ms). */
  readonly since: number;
  readonly deadline: number;
  isAheadOf(other: FleetWaiter): boolean;
}

/** Parts of a limiter that share its limits with other processes. */
export interface FleetHost {
  readonly registry: Registry;
  readonly counters: Counters;
  readonly events: Events;
  readonly minimumHealth: number;
  readonly random: () => number;
  /** Instant (ms) of the last read of the clock. */
  readonly now: number;
  /** Calls `wake` at or after `atMs`; returns its cancel. A background timer does not keep the process alive. */
  wakeAt(atMs: number, wake: () => void, isBackground: boolean): () => void;
  /** A quota of one place. */
  newPlace(now: number): Quota;
  readonly waiters: Iterable<FleetWaiter>;
  /** The providers for the lease that a waiter waits for, best first. Valid until the next call. */
  rankingFor(capability: Capability, request: RequestSpec, now: number): Ranking;
  /** Every change from outside is a step, as a public call is. */
  beginStep(): number;
  endStep(): void;
  capacityFreed(): void;
}

/** Options of a limiter with a store, with all defaults filled in. */
export interface FleetOptions {
  readonly whenStoreIsDown: "share" | "wait";
  readonly aheadMs: number;
  readonly processTtlMs: number;
}

/** The limits of one limiter as far as they are shared. */
export interface FleetLink {
  /** Longest time (ms) until the store has answered a question that is asked now, or is down. */
  readonly answerMs: number;
  /** Called by every step, before anything is decided. */
  beginStep(now: number): void;
  /** Called by every step, after everything is decided. */
  endStep(now: number): void;
  /** A call that was just evaluated stays in the wait queue. */
  callWaits(): void;
  /** Providers, pools or limits have changed. */
  reconfigured(now: number): void;
  /** Sends the usage, and returns what is spare. Never rejects. */
  flush(): Promise<void>;
  /** Returns everything and stops. Never rejects. */
  close(): Promise<void>;
  inspect(now: number): StoreInspection;
}

/** Connects a limiter to its store. */
export type FleetFactory = (host: FleetHost, options: FleetOptions) => FleetLink;
