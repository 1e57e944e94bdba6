// Waiting for a lease: who is looked at when, and what becomes of him.
//
//   a call:   granted at once, or refused where nothing can come in time, or put in the line
//   a pass:   whenever room may have come, and at the earliest instant at which what is awaited is known to come; each
//             waiter that is looked at is served, or claims what it needs, or is refused because nothing can come any more
//
// Regimes: known instants are those at which a window releases enough, a cooldown or a ramp ends, health heals, or what a
// lease holds comes due; everything else that makes room is a call that says so.

import type { Lease } from "../api/lease.ts";
import type { Due, TimerHeap } from "../clock/timer-heap.ts";
import { NoAvailableProviders } from "../errors.ts";
import { TOO_LARGE } from "../profile/profile.ts";
import type { Capability } from "../provider/capability.ts";
import type { Ranking } from "../selection/ranking.ts";
import { refusalOf } from "../selection/refusal.ts";
import type { RequestSpec } from "../selection/request-spec.ts";
import { rank } from "../selection/select.ts";
import type { SelectionContext } from "../selection/selection-context.ts";
import type { Abortable } from "./abort-signals.ts";
import type { Reserver } from "./reserver.ts";
import type { ClaimTarget, Verdict, WaitQueue } from "./wait-queue.ts";
import { Waiter, type WaitOptions } from "./waiter.ts";

/** What those who wait ask of the limiter. */
export interface WaitingHost {
  readonly leases: TimerHeap<Due>;
  beginStep(): number;
  endStep(): void;
  watch(signal: AbortSignal | undefined, atMs: number, act: () => void): () => void;
}

/** Serves the line of one limiter. */
export class QueueScheduler {
  readonly #host: WaitingHost;
  readonly #parts: SelectionContext;
  readonly #line: WaitQueue;
  readonly #granting: Reserver;
  readonly #maxWaiting: number;
  /** Room may have come since the line was looked at. */
  #hasRoom = false;
  #isServing = false;
  /** A call made room since the last pass began. */
  #wasFreed = false;
  #orders = 0;
  /** When the line is to be looked at again; Infinity: when something happens. */
  #lookAt = Infinity;

  constructor(host: WaitingHost, parts: SelectionContext, line: WaitQueue, granting: Reserver, maxWaiting: number) {
    this.#host = host;
    this.#parts = parts;
    this.#line = line;
    this.#granting = granting;
    this.#maxWaiting = maxWaiting;
  }

  /** True if nobody waits, or has left something behind. */
  get isIdle(): boolean {
    return this.#line.size === 0 && !this.#line.hasClaims;
  }

  /** When the line is to be looked at again though nothing happens; Infinity: it is not. */
  get lookAt(): number {
    return this.#line.size > 0 ? this.#lookAt : Infinity;
  }

  capacityFreed(): void {
    this.#hasRoom = true;
    this.#wasFreed = true;
  }

  /** Rejects whoever waits. */
  rejectAll(error: () => unknown): void {
    for (const waiter of [...this.#line] as Waiter[]) {
      this.#leaveLine(waiter);
      waiter.reject(error());
    }
  }

  /** Looks at the line again, if room may have come. */
  serve(now: number): void {
    if (now >= this.#lookAt) this.#hasRoom = true;
    // A strategy may ask the limiter in its turn, in the middle of a pass.
    if (!this.#hasRoom || this.#isServing) return;
    this.#isServing = true;
    this.#wasFreed = false;
    this.#lookAt = Infinity;
    try {
      if (!this.isIdle) this.#line.pass((waiter) => this.#look(waiter as Waiter, now));
    } finally {
      this.#isServing = false;
      // Nobody who left during the pass had claimed anything in it; what such a strategy made free is for the next one.
      this.#hasRoom = this.#wasFreed;
      // Not at once: one that always makes room would never let go.
      if (this.#wasFreed) this.#lookAt = Math.min(this.#lookAt, now + 1);
    }
  }

  /** Serves the call at once, or puts it in the line, or throws. */
  begin(
    capability: Capability,
    request: RequestSpec,
    asked: WaitOptions,
    maxWaitMs: number,
    mayOverfill: boolean,
    now: number,
  ): Lease | Promise<Lease> {
    const order = this.#orders++;
    const deadline = now + maxWaitMs;
    const isFull = !mayOverfill && deadline > now && this.#line.size >= this.#maxWaiting;
    let ranking: Ranking | null = null;
    // Who joins a queue of his equals need not be looked at; most calls find nobody there.
    if (isFull || !this.#line.hasEqual(capability.name, request, asked.priority ?? 0, deadline)) {
      ranking = rank(capability, request, this.#parts, now, true);
      const lease = this.#granting.grant(capability, request, ranking, asked, now, now);
      if (lease !== null) return lease;
      if (isFull || !this.#granting.mayComeBy(deadline, capability, request, now)) {
        const refusal = this.#granting.refuse(capability, request, now);
        throw new NoAvailableProviders(capability.name, refusal, { kind: isFull ? "queue_full" : "refused" });
      }
    }
    const waiter = new Waiter(capability.name, request, asked, deadline, order, now);
    const result = waiter.result();
    waiter.unwatch = this.#host.watch(asked.signal, deadline, () => this.#end(waiter));
    this.#line.add(waiter);
    // What a larger one of its kind before it can never have, nobody has claimed yet.
    if (ranking !== null) this.#stay(waiter, capability, ranking, now);
    return result;
  }

  /** Serves, refuses, or lets stay whoever is first of those not looked at yet. */
  #look(waiter: Waiter, now: number): Verdict {
    const { request, deadline } = waiter;
    const signal = waiter.signal as Abortable | undefined;
    // Of those whom one signal takes out of the line, the first ones leave room to the others.
    if (signal?.aborted) return this.#reject(waiter, signal.reason);
    const capability = this.#parts.registry.capabilities.get(waiter.capability);
    if (capability === undefined) return this.#giveUp(waiter, now, "refused");
    const isOver = deadline < now;
    // Only the timer was late where what it waits for was due in time.
    if (isOver && waiter.expectedAt > deadline) return this.#giveUp(waiter, now, "timed_out");
    try {
      const ranking = rank(capability, request, this.#parts, now, true);
      const lease = this.#granting.grant(capability, request, ranking, waiter, waiter.since, now);
      if (lease === null && isOver) return this.#giveUp(waiter, now, "timed_out");
      if (lease === null) return this.#stay(waiter, capability, ranking, now);
      this.#leaveLine(waiter);
      waiter.resolve(lease);
    } catch (error) {
      // What a strategy throws comes out of the call that asked.
      return this.#reject(waiter, error);
    }
    return "gone";
  }

  /** Claims what the waiter needs, and finds when to look at it again; refuses it where nothing can come in time. */
  #stay(waiter: Waiter, capability: Capability, ranking: Ranking, now: number): Verdict {
    const { request, priority, deadline } = waiter;
    const { registry, profile, minimumHealth } = this.#parts;
    let soonestAt = Infinity;
    let isTooLarge = false;
    let isHeld = false;
    let lookAt = Infinity;
    const wanted: ClaimTarget[] = [];
    for (let rank = 0; rank < ranking.size; rank++) {
      const provider = ranking.provider(rank);
      const needs = ranking.demand(rank);
      const gateMs = provider.recoveryDelayMs(provider.state(now, minimumHealth), now);
      const isRoom = ranking.waitMs(rank) === 0;
      const fitsAt = isRoom ? now : profile.earliestFit(provider.quotas, needs, now);
      const roomAt = this.#line.opensAt(provider, needs, priority, now);
      if (roomAt !== null) {
        const opensAt = Math.max(now + gateMs, roomAt);
        // What is held and not counted yet can be waited for once it comes due; so can the place of a trial.
        soonestAt = Math.min(soonestAt, opensAt < Infinity ? opensAt : this.#heldUntil());
      }
      isHeld ||= fitsAt > now && provider.quotas.some((quota) => !quota.isHeldToEnd && quota.reserved > 0);
      wanted.push({ provider, needs, isGated: isRoom && gateMs > 0 });
    }
    for (const entry of registry.listed(capability)) {
      const { name, provider } = entry;
      if (provider === null || request.excludes(name)) continue;
      for (const { tracker } of provider.quotas) {
        lookAt = Math.min(lookAt, now + (tracker.resets?.(now).reviewMs ?? Infinity));
      }
      const needs = request.demandOn(capability, entry, true);
      if (profile.waitMs(provider.quotas, needs, now, false) === TOO_LARGE) {
        isTooLarge = true;
        continue;
      }
      const state = provider.state(now, minimumHealth);
      if (state !== "cooldown" && state !== "unhealthy") continue;
      const { health } = provider;
      const opensAt = state === "cooldown" ? health.cooldownUntil : now + health.healsInMs(minimumHealth, now);
      const fitsAt = profile.earliestFit(provider.quotas, needs, now);
      soonestAt = Math.min(soonestAt, fitsAt < Infinity ? Math.max(opensAt, fitsAt) : opensAt);
      // From then on it claims there what it needs.
      lookAt = Math.min(lookAt, opensAt);
    }
    // Also where it would wait endlessly, and for nothing.
    const isLate = soonestAt > deadline || soonestAt === Infinity;
    if (deadline > now && isLate && !this.#granting.mayComeBy(deadline, capability, request, now)) {
      return this.#giveUp(waiter, now, "refused");
    }
    this.#line.claim(wanted, priority, now);
    waiter.hasClaims = true;
    waiter.expectedAt = soonestAt;
    // Once what is held is counted, there may be no hope any more.
    if (isLate && isHeld) lookAt = Math.min(lookAt, this.#heldUntil());
    this.#lookAt = Math.min(this.#lookAt, soonestAt, lookAt);
    return isTooLarge ? "stays" : "stays, and those of its kind with it";
  }

  /** When the next of what leases hold comes due; Infinity: nothing does. */
  #heldUntil(): number {
    return this.#host.leases.first?.dueAt ?? Infinity;
  }

  /** Its signal has aborted, or its deadline come: with it a last look. */
  #end(waiter: Waiter): void {
    const signal = waiter.signal as Abortable | undefined;
    if (signal?.aborted) this.#reject(waiter, signal.reason);
    const now = this.#host.beginStep();
    if (waiter.queue !== null) this.#giveUp(waiter, now, "timed_out");
  }

  #giveUp(waiter: Waiter, now: number, kind: "refused" | "timed_out"): Verdict {
    const capability = this.#parts.registry.capabilities.get(waiter.capability);
    this.#leaveLine(waiter);
    const refusal =
      capability === undefined ? refusalOf<string>([]) : this.#granting.refuse(capability, waiter.request, now);
    waiter.reject(new NoAvailableProviders(waiter.capability, refusal, { kind }));
    return "gone";
  }

  #reject(waiter: Waiter, error: unknown): Verdict {
    this.#leaveLine(waiter);
    waiter.reject(error);
    return "gone";
  }

  #leaveLine(waiter: Waiter): void {
    this.#line.remove(waiter);
    if (waiter.hasClaims) this.#hasRoom = true;
    waiter.unwatch();
  }
}
