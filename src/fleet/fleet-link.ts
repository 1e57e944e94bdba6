import type { GrateLimiterOptions } from "../api/options.ts";
import type { StoreInspection } from "../api/store-inspection.ts";
import type { EngineTime } from "../clock/engine-time.ts";
import type { Events } from "../events.ts";
import type { Counters } from "../metrics.ts";
import type { Capability } from "../provider/capability.ts";
import type { Registry } from "../provider/registry.ts";
import type { Quota } from "../quota/quota.ts";
import type { Ranking } from "../selection/ranking.ts";
import type { RequestSpec } from "../selection/request-spec.ts";
import type { rank } from "../selection/select.ts";
import type { SelectionContext } from "../selection/selection-context.ts";

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
  /** When such a call gives up at the latest: its deadline, or when the store has answered if that is later. */
  deadlineOf(capability: Capability, request: RequestSpec, deadline: number, now: number): number;
  /** A call waits of which the own patience ends at that instant. */
  add(waiter: FleetWaiter, patienceEnd: number): void;
  delete(waiter: FleetWaiter): void;
  /** Returns the calls of which the patience is over and the answer has come. */
  answeredCalls(now: number): FleetWaiter[];
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

/** Parts of the core that a store is given, so that it brings no copy of them. */
export interface LimiterParts {
  readonly selection: SelectionContext;
  readonly waiters: Iterable<FleetWaiter>;
  beginStep(): number;
  endStep(): void;
  capacityFreed(): void;
}

/** Connects a limiter to its store. */
export type FleetFactory = (
  limiter: LimiterParts,
  time: EngineTime,
  rankProviders: typeof rank,
  options: GrateLimiterOptions,
) => FleetLink;
