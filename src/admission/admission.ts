// Reserving: now (tryAcquire), or in one's turn (acquire).
//
//   enter: read the clock -> what leases have come due -> the line, if room may have come
//   grant: candidates in order of rank; the first that has room, is not claimed by somebody ahead, and whose trial or ramp
//          lets it through; all of its quotas are taken, or none
//   leave: the line, if the step made room -> events -> the one timer, for the earliest of alarms and known releases
//
// Regimes: nothing runs between calls but that timer, and it is set only while somebody waits. A lease's own instants
// need none: they are made up for by the next call, in order, before anything else.
import type { EngineTime } from "../clock/engine-time.ts";
import { GrateLimiterError, NoAvailableProviders } from "../errors.ts";
import type { LiveQuota, PendingStamps } from "../forecast/live-quota.ts";
import type { Capability } from "../provider/capability.ts";
import type { Provider } from "../provider/provider.ts";
import type { Ranking } from "../selection/ranking.ts";
import { type Refusal, refusalOf } from "../selection/refusal.ts";
import type { Request } from "../selection/request.ts";
import { rank, type SelectionParts } from "../selection/selector.ts";
import { type Abortable, AbortSignals } from "./abort-signals.ts";
import { type Due, DueHeap } from "./due-heap.ts";
import type { HeldLease, LeaseHost } from "./granted-lease.ts";
import { type AdmissionOptions, Granting } from "./granting.ts";
import type { Lease } from "./lease.ts";
import { type Verdict, type Waiter, WaitingLine } from "./waiting-line.ts";

/** How one `acquire` waits. */
export interface Waiting {
  readonly priority: number;
  readonly maxWaitMs: number;
  readonly signal: AbortSignal | undefined;
  readonly leaseTimeoutMs: number | undefined;
}

interface Alarm extends Due {
  ring(): void;
}

/** One `acquire` that waits. */
class WaitingCall implements Waiter {
  queue: Waiter["queue"] = null;
  next: Waiter | null = null;
  previous: Waiter | null = null;
  hasClaims = false;
  readonly capability: string;
  readonly request: Request;
  readonly waiting: Waiting;
  readonly order: number;
  readonly since: number;
  readonly deadline: number;
  readonly resolve: (lease: Lease) => void;
  readonly reject: (error: unknown) => void;
  cancelAlarm: (() => void) | null = null;
  cancelListener: (() => void) | null = null;

  constructor(
    capability: string,
    request: Request,
    waiting: Waiting,
    order: number,
    since: number,
    resolve: (lease: Lease) => void,
    reject: (error: unknown) => void,
  ) {
    this.capability = capability;
    this.request = request;
    this.waiting = waiting;
    this.order = order;
    this.since = since;
    this.deadline = since + waiting.maxWaitMs;
    this.resolve = resolve;
    this.reject = reject;
  }

  get priority(): number {
    return this.waiting.priority;
  }
}

/** Leases, and the line of those who wait for one. */
export class Admission implements LeaseHost, PendingStamps {
  readonly held: DueHeap<HeldLease> = new DueHeap();
  readonly #parts: SelectionParts;
  readonly #time: EngineTime;
  readonly #options: AdmissionOptions;
  readonly #line = new WaitingLine();
  readonly #granting: Granting;
  readonly #alarms = new DueHeap<Alarm>();
  readonly #signals = new AbortSignals();
  #order = 0;
  #isClosed = false;
  /** Room may have come since the line was looked at. */
  #hasRoom = false;
  /** When the line is to be looked at again; Infinity: when something happens. */
  #lookAt = Number.POSITIVE_INFINITY;
  #timerAt = Number.POSITIVE_INFINITY;
  #cancelTimer: (() => void) | null = null;

  constructor(parts: Omit<SelectionParts, "pending">, time: EngineTime, options: AdmissionOptions) {
    this.#parts = { ...parts, pending: this };
    this.#time = time;
    this.#options = options;
    this.#granting = new Granting(this, this.#parts, this.#line, options);
  }

  get parts(): SelectionParts {
    return this.#parts;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get profile(): SelectionParts["profile"] {
    return this.#parts.profile;
  }

  get counters(): SelectionParts["counters"] {
    return this.#parts.counters;
  }

  get events(): SelectionParts["events"] {
    return this.#parts.events;
  }

  get skewCapMs(): number {
    return this.#options.skewCapMs;
  }

  /** How many wait, by capability. */
  get waiting(): { readonly [capability: string]: number } {
    return this.#line.counts;
  }

  /** Age of the oldest open lease; null: none is open. */
  oldestLeaseMs(now: number): number | null {
    let oldest = now;
    let isOpen = false;
    for (const { lease } of this.held) {
      if (lease.hasEnded) continue;
      isOpen = true;
      oldest = Math.min(oldest, lease.grantedAt);
    }
    return isOpen ? now - oldest : null;
  }

  /** How many providers the capability lists. */
  candidates(capability: Capability): number {
    return this.#parts.registry.listed(capability).length;
  }

  of(quota: LiveQuota): readonly { readonly at: number; readonly amount: number }[] {
    const pending = [];
    for (const { lease } of this.held) {
      const stamp = lease.pendingOn(quota);
      if (stamp !== null) pending.push(stamp);
    }
    return pending.sort((a, b) => a.at - b.at);
  }

  isRegistered(provider: Provider): boolean {
    return this.#parts.registry.providers.get(provider.name) === provider;
  }

  freed(): void {
    this.#hasRoom = true;
  }

  /** The provider draws from other quotas now. */
  changed(provider: Provider, now: number): void {
    for (const { lease } of [...this.held]) lease.follow(provider, now);
    this.#hasRoom = true;
  }

  /** Reads the clock once, and brings leases and line up to date; the instant (ms). */
  enter(): number {
    const now = this.#time.read();
    for (let due = this.held.first; due !== undefined && due.dueAt <= now; due = this.held.first) {
      due.lease.comeDue(due.dueAt);
    }
    if (now >= this.#lookAt) this.#hasRoom = true;
    this.#serve(now);
    return now;
  }

  /** After a step that may have changed something: serves the line, tells the listeners, sets the one timer. */
  leave(): void {
    this.#serve(this.#time.now);
    this.#parts.events.flush();
    this.#setTimer();
  }

  /** Reserves now or says why not; never waits, overtakes no waiter. */
  tryAcquire(capability: Capability, request: Request, leaseTimeoutMs?: number): Lease | Refusal {
    this.requireOpen();
    const now = this.enter();
    try {
      const ranking = rank(capability, request, this.#parts, now);
      const lease = this.#granting.grant(
        capability,
        request,
        ranking,
        { priority: 0, leaseTimeoutMs, waitedMs: 0 },
        now,
      );
      return lease ?? this.#granting.refuse(capability, request, now);
    } finally {
      this.leave();
    }
  }

  /** Reserves, waiting its turn. Rejects with NoAvailableProviders, the signal's reason, or code "closed". */
  acquire(capability: Capability, request: Request, waiting: Waiting): Promise<Lease> {
    return new Promise((resolve, reject) => {
      this.requireOpen();
      const signal = waiting.signal as Abortable | undefined;
      if (signal?.aborted) throw signal.reason;
      const now = this.enter();
      try {
        const waiter = new WaitingCall(capability.name, request, waiting, this.#order++, now, resolve, reject);
        this.#begin(waiter, capability, now);
      } finally {
        this.leave();
      }
    });
  }

  /** Calls `ring` once, at or after `atMs`, from the one timer; returns its cancel. */
  alarm(atMs: number, ring: () => void): () => void {
    const alarm: Alarm = { dueAt: atMs, order: this.#order++, place: -1, ring };
    this.#alarms.put(alarm);
    return () => this.#alarms.remove(alarm);
  }

  /** Calls `act` once when the signal aborts, with one listener however many ask; returns its cancel. */
  onAbort(signal: AbortSignal, act: () => void): () => void {
    return this.#signals.on(signal, act);
  }

  /** Rejects whoever waits and whoever comes. */
  close(): void {
    this.#isClosed = true;
    for (const waiter of [...this.#line] as WaitingCall[]) {
      this.#leaveLine(waiter);
      waiter.reject(closed());
    }
    this.leave();
  }

  /** Throws where nothing is granted any more, or ever. */
  requireOpen(): void {
    this.#parts.profile.requireLeases();
    if (this.#isClosed) throw closed();
  }

  #serve(now: number): void {
    if (!this.#hasRoom) return;
    this.#hasRoom = false;
    this.#lookAt = Number.POSITIVE_INFINITY;
    if (this.#line.size > 0 || this.#line.hasClaims)
      this.#line.pass((waiter) => this.#look(waiter as WaitingCall, now));
    // Nobody who left during the pass had claimed anything in it.
    this.#hasRoom = false;
  }

  /** Serves the call at once, or puts it in the line, or throws. */
  #begin(waiter: WaitingCall, capability: Capability, now: number): void {
    const { request, deadline, waiting } = waiter;
    const { priority, maxWaitMs, leaseTimeoutMs, signal } = waiting;
    const isFull = maxWaitMs > 0 && this.#line.size >= this.#options.maxWaiting;
    // Who joins a queue of his equals need not be looked at.
    let ranking: Ranking | null = null;
    if (isFull || !this.#line.hasEqual(waiter)) {
      ranking = rank(capability, request, this.#parts, now);
      const lease = this.#granting.grant(capability, request, ranking, { priority, leaseTimeoutMs, waitedMs: 0 }, now);
      if (lease !== null) {
        waiter.resolve(lease);
        return;
      }
      if (isFull || !this.#granting.mayComeBy(deadline, capability, request, now)) {
        const refusal = this.#granting.refuse(capability, request, now);
        throw new NoAvailableProviders(capability.name, refusal, { kind: isFull ? "queue_full" : "refused" });
      }
    }
    if (deadline < Number.POSITIVE_INFINITY) waiter.cancelAlarm = this.alarm(deadline, () => this.#timeOut(waiter));
    if (signal !== undefined) waiter.cancelListener = this.#signals.on(signal, () => this.#abort(waiter));
    // Where others of its kind stand before it, what it needs is claimed already.
    if (this.#line.add(waiter) && ranking !== null) this.#stay(waiter, capability, ranking, now);
  }

  /** Serves, refuses, or lets stay whoever is first of those not looked at yet. */
  #look(waiter: WaitingCall, now: number): Verdict {
    const { request, deadline, waiting } = waiter;
    const { priority, leaseTimeoutMs } = waiting;
    const capability = this.#parts.registry.capabilities.get(waiter.capability);
    if (capability === undefined || deadline < now) return this.#giveUp(waiter, now, "timed_out");
    try {
      const ranking = rank(capability, request, this.#parts, now);
      const grant = { priority, leaseTimeoutMs, waitedMs: now - waiter.since };
      const lease = this.#granting.grant(capability, request, ranking, grant, now);
      if (lease === null) return this.#stay(waiter, capability, ranking, now);
      this.#leaveLine(waiter);
      waiter.resolve(lease);
    } catch (error) {
      // What a strategy throws comes out of the call that asked.
      this.#leaveLine(waiter);
      waiter.reject(error);
    }
    return "gone";
  }

  /** Claims what the waiter needs, and finds when to look at it again; refuses it where nothing can come in time. */
  #stay(waiter: WaitingCall, capability: Capability, ranking: Ranking, now: number): Verdict {
    const { request, priority, deadline } = waiter;
    const { registry, minimumHealth } = this.#parts;
    let soonestAt = Number.POSITIVE_INFINITY;
    let fits = 0;
    // What it claims itself does not stand before it.
    const claims: (() => void)[] = [];
    for (let rank = 0; rank < ranking.size; rank++) {
      const provider = ranking.provider(rank);
      const needs = request.needs(ranking.entry(rank), true);
      const gateMs = provider.gateMs(provider.state(now, minimumHealth), now);
      const isRoom = ranking.waitMs(rank) === 0;
      const at = Math.max(now + gateMs, isRoom ? now : this.profile.fitsAt(provider.quotas, needs, now));
      if (!this.#line.isBehind(provider, needs, priority)) soonestAt = Math.min(soonestAt, at);
      // What is held and not counted yet can be waited for once it comes due.
      if (at === Number.POSITIVE_INFINITY) soonestAt = Math.min(soonestAt, this.held.first?.dueAt ?? at);
      claims.push(() => this.#line.claim(provider, needs, priority, isRoom && gateMs > 0));
    }
    for (const { name, provider } of registry.listed(capability)) {
      if (provider === null || request.excludes(name)) continue;
      const state = provider.state(now, minimumHealth);
      if (state === "cooldown") soonestAt = Math.min(soonestAt, provider.health.cooldownUntil);
      else if (state === "unhealthy") {
        soonestAt = Math.min(soonestAt, now + provider.health.healsInMs(minimumHealth, now));
      } else if (state !== "dead" && state !== "paused") fits--;
    }
    fits += ranking.size;
    if (soonestAt > deadline && !this.#granting.mayComeBy(deadline, capability, request, now)) {
      return this.#giveUp(waiter, now, "refused");
    }
    for (const claim of claims) claim();
    waiter.hasClaims = true;
    this.#lookAt = Math.min(this.#lookAt, soonestAt);
    return fits < 0 ? "stays" : "stays, and those of its kind with it";
  }

  #timeOut(waiter: WaitingCall): void {
    const now = this.enter();
    if (waiter.queue !== null) this.#giveUp(waiter, now, "timed_out");
    this.leave();
  }

  #giveUp(waiter: WaitingCall, now: number, kind: "refused" | "timed_out"): Verdict {
    const capability = this.#parts.registry.capabilities.get(waiter.capability);
    this.#leaveLine(waiter);
    const refusal =
      capability === undefined ? refusalOf<string>([]) : this.#granting.refuse(capability, waiter.request, now);
    waiter.reject(new NoAvailableProviders(waiter.capability, refusal, { kind }));
    return "gone";
  }

  #abort(waiter: WaitingCall): void {
    this.#leaveLine(waiter);
    waiter.reject((waiter.waiting.signal as Abortable).reason);
    this.enter();
    this.leave();
  }

  #leaveLine(waiter: WaitingCall): void {
    this.#line.remove(waiter);
    if (waiter.hasClaims) this.#hasRoom = true;
    waiter.cancelAlarm?.();
    waiter.cancelListener?.();
  }

  #setTimer(): void {
    const lineAt = this.#line.size > 0 ? this.#lookAt : Number.POSITIVE_INFINITY;
    const at = Math.min(lineAt, this.#alarms.first?.dueAt ?? Number.POSITIVE_INFINITY);
    if (at === this.#timerAt) return;
    this.#cancelTimer?.();
    this.#timerAt = at;
    this.#cancelTimer = at < Number.POSITIVE_INFINITY ? this.#time.wakeAt(at, () => this.#wake()) : null;
  }

  #wake(): void {
    this.#timerAt = Number.POSITIVE_INFINITY;
    this.#cancelTimer = null;
    const now = this.enter();
    for (let due = this.#alarms.first; due !== undefined && due.dueAt <= now; due = this.#alarms.first) {
      this.#alarms.remove(due);
      due.ring();
    }
    this.leave();
  }
}

/** What every call but observing, queries and configuration answers after `close`. */
export function closed(): GrateLimiterError {
  return new GrateLimiterError("closed", "the limiter was closed");
}
