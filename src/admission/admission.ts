// Steps of a limiter: every call begins with one and ends with one.
//
//   beginStep: read the clock -> the instants of leases that have come, in order -> the wait queue, if capacity might be there
//   endStep:   the wait queue, if the step freed capacity -> events -> the one timer, for the earliest alarm or evaluation
//
// Regimes: nothing runs between calls except that timer, set only while a call waits. The next call makes up for leases.

import type { Explanation } from "../api/explanation.ts";
import type { Lease } from "../api/lease.ts";
import type { Refusal } from "../api/refusal.ts";
import type { CloseOptions } from "../api/run-options.ts";
import type { StatusClass } from "../api/status-class.ts";
import type { EngineTime } from "../clock/engine-time.ts";
import { type Due, TimerHeap } from "../clock/timer-heap.ts";
import { GrateLimiterError } from "../errors.ts";
import type { FleetLink } from "../fleet/fleet-link.ts";
import type { Capability } from "../provider/capability.ts";
import type { Provider } from "../provider/provider.ts";
import type { Quota } from "../quota/quota.ts";
import { requireCost } from "../selection/cost-requirement.ts";
import type { RequestSpec } from "../selection/request-spec.ts";
import type { SelectionContext } from "../selection/selection-context.ts";
import { type Abortable, AbortSignals } from "./abort-signals.ts";
import type { ActiveLease } from "./active-lease.ts";
import { Arrivals } from "./arrivals.ts";
import { Claims } from "./claims.ts";
import type { LeaseContext } from "./lease-context.ts";
import { OpenLeasesByName } from "./open-leases.ts";
import { QueueScheduler } from "./queue-scheduler.ts";
import { type AdmissionOptions, Reserver } from "./reserver.ts";
import type { WaitQueue } from "./wait-queue.ts";
import type { Caller, LeaseOptions, QueuePosition, WaitOptions } from "./waiter.ts";

const NO_TRY = "tryAcquire cannot ask a store; use acquire(..., { maxWaitMs: 0 }), which asks it at most once";
const BEHIND_ALL: QueuePosition = { priority: -Infinity, order: Infinity };
const NO_OPTIONS: LeaseOptions = {};

interface Alarm extends Due {
  ring(): void;
  /** True if it also rings when the limiter is closed. */
  readonly isPause: boolean;
}

/** Leases of one limiter, and calls that wait. */
export class Admission implements LeaseContext {
  /** Leases that change by themselves, by their next instants. */
  readonly leases: TimerHeap<ActiveLease> = new TimerHeap();
  readonly openLeases: OpenLeasesByName = new OpenLeasesByName();
  fleet: FleetLink | null = null;
  readonly selection: SelectionContext;
  readonly #time: EngineTime;
  readonly skewCapMs: number;
  readonly #reserver: Reserver;
  readonly #scheduler: QueueScheduler;
  readonly #arrivals: Arrivals;
  readonly #alarms = new TimerHeap<Alarm>();
  readonly #signals = new AbortSignals();
  readonly #closedErrors = new WeakSet<object>();
  #order = 0;
  #isClosed = false;
  /** Calls that have begun, and have not ended. */
  #calls = 0;
  #begunCalls = 0;
  /** Ends the drain; null: the limiter is not drained. */
  #endDrain: (() => void) | null = null;
  #timerAt = Infinity;
  #cancelTimer: (() => void) | null = null;

  constructor(parts: SelectionContext, time: EngineTime, options: AdmissionOptions) {
    this.selection = parts;
    this.#time = time;
    this.skewCapMs = options.skewCapMs;
    const claims = new Claims();
    this.#reserver = new Reserver(this, parts, claims, options);
    this.#scheduler = new QueueScheduler(this, parts, claims, this.#reserver, options);
    this.#arrivals = new Arrivals(this, parts, claims, this.#reserver, this.#scheduler);
  }

  get isOpen(): boolean {
    return !this.#isClosed && this.#endDrain === null;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get profile(): SelectionContext["profile"] {
    return this.selection.profile;
  }

  get counters(): SelectionContext["counters"] {
    return this.selection.counters;
  }

  get events(): SelectionContext["events"] {
    return this.selection.events;
  }

  get waiters(): WaitQueue {
    return this.#scheduler.waiters;
  }

  capacityFreed(): void {
    this.#scheduler.capacityFreed();
  }

  configurationChanged(): void {
    this.#scheduler.configurationChanged();
  }

  /** The capability was given another list of providers, or was removed. */
  capabilityChanged(name: string): void {
    this.#scheduler.capabilityChanged(name);
  }

  discoverLimits(provider: Provider, reported: unknown, status: StatusClass | null, now: number): void {
    const { discovery, isRegistered } = provider;
    const wasKnown = discovery?.isKnown;
    if (!isRegistered || !discovery?.learn(reported, status, this.profile.vocabulary)) return;
    this.selection.registry.applyDiscovery(provider, now);
    this.migrateLeases([provider], provider.quotas, [], now);
    this.configurationChanged();
    if (!wasKnown && discovery.specs.length === 0) this.events.emit("limitsUnknown", { provider: provider.name });
  }

  /** Migrates leases to `quotas`: those of these providers, and those that take part in the quotas that were replaced. */
  migrateLeases(
    providers: readonly Provider[],
    quotas: readonly Quota[],
    replaced: readonly Quota[],
    now: number,
  ): void {
    const [ofProviders, ofQuotas] = [new Set(providers), new Set(replaced)];
    const leases = [...this.leases].filter((lease) => lease.isAmong(ofProviders, ofQuotas));
    // In the order in which they count, because trackers take no earlier instants.
    for (const lease of leases.sort((a, b) => a.countsFrom - b.countsFrom)) lease.migrateTo(quotas, now);
    for (const quota of quotas) quota.inheritedFrom = null;
    this.capacityFreed();
  }

  /** Reads the clock once, and brings leases and wait queue up to date; returns the instant (ms). */
  beginStep(): number {
    const now = this.#time.read();
    this.fleet?.beginStep(now);
    for (let due = this.leases.first; due !== undefined && due.dueAt <= now; due = this.leases.first) {
      due.onDue(due.dueAt);
    }
    if (!this.#scheduler.isIdle) this.#scheduler.serve(now);
    return now;
  }

  /** Serves the wait queue, calls the listeners, and sets the one timer. */
  endStep(): void {
    const { isIdle } = this.#scheduler;
    if (!isIdle) this.#scheduler.serve(this.#time.now);
    if (this.selection.events.hasPending) this.selection.events.flush();
    this.fleet?.endStep(this.#time.now);
    if (this.#endDrain !== null && this.#isDrained) this.#endDrain();
    if (!isIdle || this.#alarms.first !== undefined || this.#timerAt < Infinity || this.#endDrain) this.#setTimer();
  }

  /** Grants a lease now or returns a refusal; never waits, overtakes no waiter. */
  tryAcquire(capability: Capability, request: RequestSpec): Lease | Refusal {
    this.requireOpen();
    if (this.fleet !== null) throw new GrateLimiterError("unsupported", NO_TRY);
    requireCost(capability, request, this.selection, this.#time.now);
    const now = this.beginStep();
    try {
      const ranking = this.#arrivals.rank(capability, request, BEHIND_ALL, now);
      const lease = this.#reserver.grant(capability, request, ranking, BEHIND_ALL, NO_OPTIONS, now, now);
      const delayMs = lease === null ? this.#arrivals.delayMs(capability, request, now) : 0;
      return lease ?? this.#reserver.refuse(capability, request, now, false, delayMs);
    } finally {
      this.endStep();
    }
  }

  /** What `acquire` would do now. Takes nothing. */
  explain(capability: Capability, request: RequestSpec, options: LeaseOptions, maxWaitMs: number): Explanation {
    requireCost(capability, request, this.selection, this.#time.now);
    const now = this.beginStep();
    try {
      return this.#arrivals.explain(capability, request, options, maxWaitMs, now);
    } finally {
      this.endStep();
    }
  }

  /**
   * Grants a lease now, or waits. Throws or rejects with NoAvailableProviders, the reason of the signal, or code "closed".
   * `caller`: the call that asks, if it can ask again.
   */
  acquire(
    capability: Capability,
    request: RequestSpec,
    asked: WaitOptions,
    maxWaitMs: number,
    caller?: Caller,
  ): ActiveLease | Promise<ActiveLease> {
    if (this.#isClosed || caller?.order === undefined) this.requireOpen();
    const signal = asked.signal as Abortable | undefined;
    if (signal?.aborted) throw signal.reason;
    requireCost(capability, request, this.selection, this.#time.now);
    const now = this.beginStep();
    try {
      return this.#arrivals.begin(capability, request, asked, maxWaitMs, caller, now);
    } finally {
      this.endStep();
    }
  }

  /**
   * Calls `act` once, when the signal aborts or at `atMs`, by the one timer, which the next `endStep` sets; returns its
   * cancel. All watchers of a signal share one listener. `close` also ends a pause.
   */
  watch(signal: AbortSignal | undefined, atMs: number, act: () => void, isPause = false): () => void {
    const ring = () => {
      cancel();
      act();
      this.endStep();
    };
    const alarm: Alarm = { dueAt: atMs, order: this.#order++, place: -1, ring, isPause };
    const unlisten = signal && this.#signals.on(signal, ring);
    const cancel = () => {
      this.#alarms.remove(alarm);
      unlisten?.();
      // Otherwise the timer would keep the process alive.
      if (alarm.dueAt === this.#timerAt) this.#setTimer();
    };
    if (atMs < Infinity) this.#alarms.put(alarm);
    return cancel;
  }

  /** A call of `run`, `stream` or `map` has begun, of which a drain waits for the end. Returns its number, from 1. */
  callBegan(): number {
    this.#calls++;
    return ++this.#begunCalls;
  }

  callEnded(): void {
    this.#calls--;
    if (this.#endDrain !== null) this.endStep();
  }

  /** Rejects all queued and all later calls; with `drain`, those that have begun go on for at most `timeoutMs`. */
  close({ drain = false, timeoutMs = Infinity }: CloseOptions = {}): Promise<void> {
    if (!drain || this.#isClosed) {
      this.#closeNow();
      return this.fleet === null ? Promise.resolve() : this.fleet.close();
    }
    const now = this.beginStep();
    return new Promise((resolve) => {
      const cancel = this.watch(undefined, now + timeoutMs, () => this.#endDrain?.());
      const others = this.#endDrain;
      this.#endDrain = () => {
        this.#endDrain = null;
        cancel();
        resolve(this.fleet?.close());
        if (others === null) this.#closeNow();
        else others();
      };
      this.endStep();
    });
  }

  #closeNow(): void {
    this.#isClosed = true;
    this.#scheduler.rejectAll(() => this.closedError());
    for (const alarm of [...this.#alarms]) if (alarm.isPause) alarm.ring();
    this.#endDrain?.();
    this.endStep();
  }

  get #isDrained(): boolean {
    const { leasesGranted, leasesSettled, leasesReleased, leasesExpired } = this.counters;
    return (
      this.#calls === 0 && this.#scheduler.isIdle && leasesGranted === leasesSettled + leasesReleased + leasesExpired
    );
  }

  /** Throws if nothing is granted any more, or ever. */
  requireOpen(): void {
    this.selection.profile.requireLeases();
    if (!this.isOpen) throw this.closedError();
  }

  /** Error of every call after `close`, except `observe`, queries and configuration. */
  closedError(): GrateLimiterError {
    const error = new GrateLimiterError("closed", "the limiter was closed");
    this.#closedErrors.add(error);
    return error;
  }

  /** True for a `closedError` of this limiter. */
  isOwnClosed(error: unknown): boolean {
    return this.#closedErrors.has(error as object);
  }

  #setTimer(): void {
    // A drain waits for leases that expire.
    const expiryAt = this.#endDrain === null ? Infinity : (this.leases.first?.dueAt ?? Infinity);
    const at = Math.min(this.#scheduler.nextEvaluationAt, this.#alarms.first?.dueAt ?? Infinity, expiryAt);
    if (at === this.#timerAt) return;
    this.#cancelTimer?.();
    this.#timerAt = at;
    this.#cancelTimer = at < Infinity ? this.#time.wakeAt(at, () => this.#wake()) : null;
  }

  #wake(): void {
    this.#timerAt = Infinity;
    this.#cancelTimer = null;
    const now = this.beginStep();
    for (let due = this.#alarms.first; due !== undefined && due.dueAt <= now; due = this.#alarms.first) {
      due.ring();
    }
    this.endStep();
  }
}
