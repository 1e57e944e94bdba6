// A granted lease: it applies the transitions of lease-state.ts to quotas, pools, health and sizes.
//
//   granted:     every quota of the provider reserves the amount of the request
//   counted:     windows commit their reservations, places and quotas that count at the end keep theirs
//   place freed: places are released, quotas that count at the end commit
//   ended:       the amounts become what the request turned out to take: all of them for an answer, the request alone for a
//                refusal, none for a request that was never sent
//
// Source: measured; freeing the place of an aborted request immediately costs 66 429s in 32,000, counting late headers from
// their true time 294 in 17,000, these rules 0.

import type { Decision } from "../api/decision.ts";
import type { Lease, Settlement } from "../api/lease.ts";
import type { StatusClass } from "../api/status-class.ts";
import type { Usage } from "../api/usage.ts";
import type { Due } from "../clock/timer-heap.ts";
import type { Outcome } from "../health/health.ts";
import { raiseLimitReached, updateHealth } from "../observation/apply-observation.ts";
import { readUsage } from "../observation/outcome-fields.ts";
import { parseSettlement, SUCCEEDED } from "../observation/parse-settlement.ts";
import { UNSERVED } from "../observation/status-code.ts";
import type { Provider } from "../provider/provider.ts";
import { REQUESTS } from "../quota/dimension-index.ts";
import type { Quota } from "../quota/quota.ts";
import type { Reservation } from "../quota/reservation.ts";
import { demandFor, type UsageVector, unspecifiedUsage, usageOf, varianceOf } from "../quota/usage-vector.ts";
import { finalUsage } from "./final-usage.ts";
import type { Candidate, LeaseContext } from "./lease-context.ts";
import {
  grantedState,
  holdsPlace,
  isOpen,
  isUncounted,
  type LeaseEvent,
  type LeaseState,
  type LeaseTerms,
  nextInstantOf,
  transition,
} from "./lease-state.ts";
import type { OpenLeases } from "./open-leases.ts";

const SUCCESS: Outcome = { status: "success", latencyMs: null, retryAfterMs: null, knownResetAt: null };

/** A lease; members that its public interface does not have are for the admission alone. */
export class ActiveLease implements Lease, Due, LeaseTerms {
  readonly granted = true;
  readonly provider: string;
  readonly capability: string;
  readonly grantedAt: number;
  readonly order: number;
  dueAt: number;
  place = -1;
  readonly #context: LeaseContext;
  readonly #candidate: Candidate;
  readonly #reservations: Reservation<Quota>[] = [];
  readonly #openLeases: OpenLeases;
  #state: LeaseState;
  /** Amounts that are reserved or counted. */
  #amounts: UsageVector;
  #reported: UsageVector | null = null;

  constructor(context: LeaseContext, candidate: Candidate, order: number, now: number, timeoutMs: number) {
    const { provider, needs, state } = candidate;
    this.provider = provider.name;
    this.capability = candidate.capability.name;
    this.grantedAt = now;
    this.order = order;
    this.#context = context;
    this.#candidate = candidate;
    this.#amounts = needs.amounts;
    this.#state = grantedState(this, timeoutMs);
    this.dueAt = nextInstantOf(this.#state);
    this.#openLeases = context.openLeases.of(provider);
    this.#openLeases.add(candidate.capability.learning);
    provider.leases++;
    provider.takeRecoverySlot(state, needs.amounts[REQUESTS]!, this, now);
    const { quotas } = provider;
    for (let i = 0; i < quotas.length; i++) this.#reserve(quotas[i]!, now);
    context.leases.put(this);
  }

  get skewCapMs(): number {
    return this.#context.skewCapMs;
  }

  /** When the windows began to count it, or will if nothing more is heard. */
  get countsFrom(): number {
    const state = this.#state;
    return isUncounted(state) ? Math.min(state.countsAt, Number.MAX_VALUE) : state.countedFrom;
  }

  get hasEnded(): boolean {
    return !isOpen(this.#state);
  }

  /** True for the one request after a cooldown. */
  get isTrial(): boolean {
    return this.#candidate.state === "trial";
  }

  get decision(): Decision {
    return this.#candidate.decision;
  }

  get reserved(): Usage {
    return usageOf(this.#candidate.needs.amounts);
  }

  get settled(): boolean {
    // A read brings the limiter up to date, which includes the expiry of this lease.
    this.#context.beginStep();
    this.#context.endStep();
    return this.hasEnded;
  }

  headersReceived(): void {
    const now = this.#context.beginStep();
    if (isOpen(this.#state)) {
      this.#apply("headers", now);
      this.#context.capacityFreed();
    }
    this.#context.endStep();
  }

  report(usage: Usage): void {
    const now = this.#context.beginStep();
    if (isOpen(this.#state)) {
      this.#reported = unspecifiedUsage();
      this.#context.counters.invalidUsages += readUsage(usage, this.#reported);
      this.#adjust("success", now, this.#amounts);
    }
    this.#context.endStep();
  }

  settle(settlement: Settlement = SUCCEEDED): void {
    const now = this.#context.beginStep();
    if (isOpen(this.#state)) this.#settle(settlement === SUCCEEDED ? SUCCESS : this.#read(settlement), now);
    this.#context.endStep();
  }

  release(): void {
    const now = this.#context.beginStep();
    if (this.#state.kind === "answered") {
      this.#settle(parseSettlement({ status: "cancelled" }, this.#context.profile.vocabulary), now);
    } else if (isOpen(this.#state)) {
      this.#context.counters.leasesReleased++;
      for (const reservation of this.#reservations) if (reservation.isReserved) reservation.cancel(now);
      this.#apply("release", now);
    }
    this.#context.endStep();
  }

  [Symbol.dispose](): void {
    this.settle({ status: "cancelled" });
  }

  /** Does everything that is due at `at`, its own instant. */
  onDue(at: number): void {
    if (isUncounted(this.#state) && at >= this.#state.countsAt) this.#apply("skewed", at);
    const state = this.#state;
    if (isOpen(state)) {
      if (at < state.expiresAt) return;
      this.#context.counters.leasesExpired++;
      this.#adjust("timeout", at, this.#knownUsage("timeout"));
      this.#apply("abandon", at);
      this.#context.events.emit("leaseExpired", { lease: this });
    } else if ("freeAt" in state && at >= state.freeAt) this.#apply("placeFreed", at);
  }

  /** True if it is of one of these providers, or takes part in one of these quotas. */
  isAmong(providers: ReadonlySet<Provider>, quotas: ReadonlySet<Quota>): boolean {
    return providers.has(this.#candidate.provider) || this.#reservations.some(({ quota }) => quotas.has(quota));
  }

  /** Takes part in those of the quotas that are new, so that they count it as the ones before did. */
  migrateTo(quotas: readonly Quota[], now: number): void {
    const before = new Map(this.#reservations.map((reservation) => [reservation.quota, reservation]));
    for (const quota of quotas) if (!before.has(quota)) this.#migrate(quota, before, now);
  }

  #migrate(quota: Quota, before: ReadonlyMap<Quota, Reservation>, now: number): void {
    const state = this.#state;
    const amount = demandFor(this.#amounts, quota.index);
    const source = quota.inheritedFrom === null ? undefined : before.get(quota.inheritedFrom);
    // Usage that the new quota has inherited contains the amount already.
    const isInherited = source !== undefined && !source.isReserved;
    if (quota.isHeldToEnd ? holdsPlace(state) : isUncounted(state)) {
      if (isInherited) quota.amend(-amount, this.countsFrom, now);
      this.#reserve(quota, now);
    } else {
      if (!isInherited && (source !== undefined || isOpen(state))) quota.amend(amount, this.countsFrom, now);
      const variance = isOpen(state) ? varianceOf(this.#candidate.needs, quota.index) : 0;
      const reservation = quota.adopt(amount, variance, this.grantedAt, this.countsFrom);
      if (!isOpen(state)) reservation.close();
      this.#reservations.push(reservation);
    }
  }

  #read(settlement: Settlement): Outcome {
    const { counters, profile } = this.#context;
    const ending = parseSettlement(settlement, profile.vocabulary);
    counters.invalidUsages += ending.invalid;
    this.#reported = ending.amounts ?? this.#reported;
    return ending;
  }

  #reserve(quota: Quota, now: number): void {
    const state = this.#state;
    const amount = demandFor(this.#amounts, quota.index);
    const variance = isOpen(state) ? varianceOf(this.#candidate.needs, quota.index) : 0;
    const remaining = quota.remaining(now);
    const reservation = quota.reserve(amount, variance, this.grantedAt, now, this.#scheduledAt(quota, state));
    this.#reservations.push(reservation);
    if (state.kind === "answered") reservation.confirmAnswer();
    if (!isOpen(state)) reservation.close();
    if (remaining > 0 && amount >= remaining) raiseLimitReached(this.#context.events, this.provider, quota);
  }

  /** When the reservation ends by itself in that state; Infinity: unknown. */
  #scheduledAt({ isHeldToEnd }: Quota, state: LeaseState): number {
    if (isHeldToEnd) return "freeAt" in state ? state.freeAt : Infinity;
    return "countsAt" in state ? state.countsAt : Infinity;
  }

  /** Called when the size of such requests becomes known after the end of this one. */
  recount(now: number): void {
    this.#adjust("timeout", now, this.#knownUsage("timeout"));
  }

  /** Amounts of the request as far as they are known: an invented estimate is reserved, but never counted as usage. */
  #knownUsage(status: StatusClass): UsageVector {
    const { provider, capability, request } = this.#candidate;
    if (!provider.hasSizes || !provider.isRegistered || request.isFullySpecified) return this.#amounts;
    const size = capability.sizeOn(provider.name);
    const isServed = status === "success";
    if (!isServed && this.#reported === null && !UNSERVED.includes(status)) size.addGuess(this);
    return request.knownUsage(provider, size, isServed);
  }

  /** Adjusts the amounts to an ending with that status. `known`: amounts of the parts that were not reported. */
  #adjust(status: StatusClass, now: number, known: UsageVector): void {
    const amounts = finalUsage(status, this.#reported, known, this.#candidate.provider.settings.price);
    if (amounts === this.#amounts) return;
    this.#amounts = amounts;
    for (const reservation of this.#reservations) {
      const { quota, amount: before } = reservation;
      const amount = demandFor(amounts, quota.index);
      if (reservation.adjust(amount, now)) raiseLimitReached(this.#context.events, this.provider, quota);
      if (amount < before) this.#context.capacityFreed();
    }
  }

  #settle(ending: Outcome, now: number): void {
    const context = this.#context;
    const { provider, capability, request } = this.#candidate;
    const { status, retryAfterMs, knownResetAt } = ending;
    const latencyMs = ending.latencyMs ?? now - this.grantedAt;
    context.counters.leasesSettled++;
    if (status === "success" && provider.hasSizes && provider.isRegistered) {
      const size = capability.sizeOn(provider.name);
      size.learn(this.#reported ?? unspecifiedUsage(), request.statedSize, provider.quotas, now);
      provider.invalidate();
    }
    this.#adjust(status, now, this.#knownUsage(status));
    this.#apply(status === "timeout" || status === "cancelled" ? "abandon" : "settle", now);
    if (status !== "cancelled" && provider.isRegistered) {
      updateHealth(provider, { status, latencyMs, retryAfterMs, knownResetAt }, this.grantedAt, context, now);
    }
    if (context.events.hasListener("leaseSettled")) {
      context.events.emit("leaseSettled", { lease: this, status, latencyMs });
    }
  }

  /** Changes the state, and the reservations with it. */
  #apply(event: LeaseEvent, now: number): void {
    const before = this.#state;
    const state = transition(before, event, now, this);
    this.#state = state;
    if (isUncounted(before) && !isUncounted(state)) this.#commit(false, now);
    if (holdsPlace(before) && !holdsPlace(state)) {
      this.#commit(true, now);
      this.#candidate.provider.leases--;
      this.#context.capacityFreed();
    }
    if (isOpen(before) && !isOpen(state)) this.#close(state);
    else if (event === "headers") for (const reservation of this.#reservations) reservation.confirmAnswer();
    this.dueAt = nextInstantOf(state);
    if (this.dueAt < Infinity) this.#context.leases.put(this);
    else this.#context.leases.remove(this);
  }

  /** Ends the reservations of the windows, or those that are held to the end. */
  #commit(isHeldToEnd: boolean, at: number): void {
    const reservations = this.#reservations;
    for (let i = 0; i < reservations.length; i++) {
      const reservation = reservations[i]!;
      const { quota } = reservation;
      if (quota.isHeldToEnd !== isHeldToEnd || !reservation.isReserved) continue;
      if (quota.spec.strategy === "concurrency") reservation.release();
      else reservation.commit(at);
    }
  }

  /** Nothing of the lease is open any more, however it ended. */
  #close(state: LeaseState): void {
    const { provider, capability } = this.#candidate;
    if (provider.trial === this) provider.trial = null;
    this.#openLeases.remove(capability.learning);
    if (!provider.isRegistered) this.#context.openLeases.dropIfUnused(provider.name);
    for (const reservation of this.#reservations) {
      reservation.close();
      if (reservation.isReserved) reservation.schedule(this.#scheduledAt(reservation.quota, state));
    }
    this.#context.capacityFreed();
  }
}
