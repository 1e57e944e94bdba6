// One group of providers in the store: what this process holds of its quotas, and the exchanges about it.
//
//   joining   no answer yet, or this process was silent for longer than its TTL: nothing is in hand
//   connected  the store has answered the latest exchange
//   down      the latest exchange failed: what is in hand remains, until the TTL after the last one that was answered
//
// Regimes: one exchange at a time. A late answer is ignored, because the next exchange states everything again. While the store
// is down, "share" allows limit / processes by the own count, from the second failure on, and for some time after the store has
// come back, so that every process has sent its usage before one of them is granted more.

import type { StoreAnswer, StoreFact, StoreMessage } from "../api/store.ts";
import type { Due } from "../clock/timer-heap.ts";
import type { Allowance, AllowanceState } from "./allowance.ts";
import { heartbeatMs, retryMs, usageDelayMs } from "./exchange-timing.ts";
import type { GroupContext } from "./group-context.ts";
import { type Want, wantedAt } from "./wants.ts";

/** Time for which "share" goes on after the store has come back: the longest pause of another process, and its exchange. */
const RETURN_MS = 3_000;
const FAILURES_UNTIL_SHARE = 2;
const SHORTEST_REFUSAL_MS = 10;
const LONGEST_REFUSAL_MS = 60_000;

/** An exchange on its way. */
interface Attempt {
  readonly sentAt: number;
  readonly timeoutAt: number;
  readonly wants: readonly Want[];
  readonly isLeaving: boolean;
  readonly facts: readonly StoreFact[];
  readonly allowances: readonly Allowance[];
  /** Calls of `flush` that wait for its end. */
  readonly flushes: readonly (() => void)[];
}

/** What this process holds of the quotas of one group. */
export class FleetGroup implements Due, AllowanceState {
  readonly name: string;
  readonly order: number;
  dueAt: number = Infinity;
  place = -1;
  /** Number of processes that the store has named last. */
  processes = 1;
  /** Requests that wait for the store, as of the latest look at the wait queue. */
  wants: readonly Want[] = [];
  allowances: readonly Allowance[] = [];
  readonly #context: GroupContext<FleetGroup>;
  #attempt: Attempt | null = null;
  #turn = 0;
  #ledger = 0;
  /** True if the batch of that number was sent and not confirmed. */
  #isSealed = false;
  #epoch: string | null = null;
  #failures = 0;
  #retryAt = -Infinity;
  #sentAt = -Infinity;
  /** Instant until which the allowance is good. */
  #validUntil = -Infinity;
  #hasJoined = false;
  #isMember = false;
  /** True if it has said goodbye, because it was idle. */
  #hasLeft = false;
  /** Instant from which usage is to be sent. Infinity: there is none. */
  #usageSince = Infinity;
  #aheadFrom = -Infinity;
  /** Instant from which wants are sent again, so that a grant that no call can use is not asked for without end. */
  #askFrom = -Infinity;
  #shareUntil = -Infinity;
  #flushes: (() => void)[] = [];
  isClosed = false;
  /** True if the store has to be told a fact. */
  hasNews = false;

  constructor(name: string, order: number, context: GroupContext<FleetGroup>) {
    this.name = name;
    this.order = order;
    this.#context = context;
  }

  get isDown(): boolean {
    return this.#failures > 0;
  }

  get state(): "connected" | "down" | "joining" {
    if (this.isDown) return "down";
    return this.#isMember || this.#hasLeft ? "connected" : "joining";
  }

  get isAsking(): boolean {
    return this.#attempt !== null;
  }

  changed(): void {
    this.#context.groupChanged(this);
  }

  /** The time of the allowance might be over. */
  beginStep(now: number): void {
    if (now < this.#validUntil) return;
    this.#validUntil = Infinity;
    this.#isMember = false;
    for (const allowance of this.allowances) {
      allowance.expire();
      allowance.quota.changed();
    }
  }

  /** Instant at which `beginStep` has something to do. */
  get expiresAt(): number {
    return this.#validUntil;
  }

  /** Sends what is due, and finds when the next message is. */
  plan(now: number): void {
    const attempt = this.#attempt;
    if (attempt !== null && now >= attempt.timeoutAt) {
      this.#fail(attempt, new Error(`the store did not answer within ${this.#context.timeoutMs} ms`), now);
    }
    if (this.#attempt === null && this.#plannedAt(now) <= now) {
      // Some of the calls might have been served or have given up.
      if (this.wants.length > 0) this.#context.collectWants();
      if (this.#plannedAt(now) <= now) this.#exchange(now);
    }
    // Whole, so that a timer that rounds is not early.
    this.dueAt = Math.ceil(this.#attempt?.timeoutAt ?? this.#plannedAt(now));
  }

  /** Sends the usage and returns what is spare. */
  flush(): Promise<void> {
    return new Promise((resolve) => {
      this.#flushes.push(resolve);
      this.changed();
    });
  }

  /** Another process has returned something. */
  hint(): void {
    if (this.wants.length === 0) return;
    for (const allowance of this.allowances) allowance.forgetRefusals();
    this.changed();
  }

  #plannedAt(now: number): number {
    const isBusy = this.#isBusy(now);
    if (!isBusy && !this.#isMember) for (const resolve of this.#flushes.splice(0)) resolve();
    if (this.#failures > 0) return isBusy ? this.#retryAt : Infinity;
    if (this.#retryAt === now) return now;
    if (this.#flushes.length > 0 || this.hasNews) return now;
    const { aheadMs, processTtlMs } = this.#context.options;
    if (this.#isTold(now)) this.#usageSince = Infinity;
    else if (this.#usageSince === Infinity) this.#usageSince = now;
    let at = this.#usageSince + usageDelayMs(this.#shortestWindowMs);
    const isReturning = now < this.#shareUntil;
    if (isReturning) at = Math.min(at, this.#shareUntil);
    for (const want of isReturning ? [] : this.wants) at = Math.min(at, Math.max(wantedAt(want, now), this.#askFrom));
    for (const allowance of this.allowances) {
      if (allowance.hasReturned) at = Math.min(at, now);
      if (aheadMs > 0 && !isReturning && !this.isClosed && allowance.spare < allowance.ahead(aheadMs, now) / 3) {
        at = Math.min(at, Math.max(now, this.#aheadFrom, allowance.refusedUntil));
      }
    }
    if (this.#isMember) at = Math.min(at, this.#sentAt + heartbeatMs(processTtlMs));
    return at;
  }

  /** True if this process holds something, waits, or has used something within a window. */
  #isBusy(now: number): boolean {
    return (
      this.wants.length > 0 || this.hasNews || this.allowances.some(({ held, log }) => held > 0 || log.used(now) > 0)
    );
  }

  /** True if the store knows all usage, and all places that were freed. */
  #isTold(now: number): boolean {
    return this.allowances.every(({ log, isPlaces, spare }) => !log.hasPending(now) && !(isPlaces && spare > 0));
  }

  get #shortestWindowMs(): number {
    return Math.min(...this.allowances.map(({ log }) => log.windowMs));
  }

  #exchange(now: number): void {
    const { host, options, timeoutMs, processId } = this.#context;
    const isReturning = now < this.#shareUntil;
    const isFlush = this.#flushes.length > 0;
    const wants = isReturning || this.isClosed ? [] : this.wants;
    const wanted = new Map<Allowance, number>();
    for (const { needs, count } of wants) {
      for (const [allowance, need] of needs) wanted.set(allowance, (wanted.get(allowance) ?? 0) + need * count);
    }
    if (!this.#isSealed) {
      this.#ledger++;
      for (const { log } of this.allowances) log.seal(now);
      this.#isSealed = true;
    }
    const quotas = this.allowances.map((allowance) => {
      const target = isFlush || isReturning || this.isClosed ? 0 : allowance.ahead(options.aheadMs, now);
      // Nothing is kept while others wait: two processes could each hold what the other waits for.
      allowance.returnSpare(allowance.isWaitedFor ? 0 : target + (wanted.get(allowance) ?? 0));
      allowance.sent();
      return allowance.message(Math.max(0, target - allowance.spare), now);
    });
    const isLeaving = wants.length === 0 && !this.#isBusy(now) && quotas.every(({ ahead }) => ahead === 0);
    const flushes = this.#flushes.splice(0);
    const facts = this.#context.factsOf(this, now);
    const attempt: Attempt = {
      sentAt: now,
      timeoutAt: now + timeoutMs,
      wants,
      isLeaving,
      facts,
      allowances: this.allowances,
      flushes,
    };
    this.#attempt = attempt;
    this.#sentAt = now;
    this.#retryAt = -Infinity;
    this.#usageSince = Infinity;
    const sent: StoreMessage = {
      process: processId,
      turn: ++this.#turn,
      ledger: this.#ledger,
      epoch: this.#epoch,
      ttlMs: options.processTtlMs,
      isLeaving,
      quotas,
      wants: wants.map(({ needs, count }) => ({
        needs: [...needs].map(([allowance, need]) => [this.allowances.indexOf(allowance), need]),
        count,
      })),
      facts,
    };
    const step = (apply: (at: number) => void) => {
      if (this.#attempt !== attempt) return;
      const at = host.beginStep();
      // The step might have timed the attempt out.
      if (this.#attempt === attempt) apply(at);
      host.endStep();
    };
    this.#context.exchange(this.name, sent).then(
      (answer) => step((at) => this.#apply(attempt, answer, at)),
      (error) => step((at) => this.#fail(attempt, error, at)),
    );
  }

  #fail({ isLeaving, flushes }: Attempt, error: unknown, now: number): void {
    const { host, options } = this.#context;
    this.#attempt = null;
    this.#failures++;
    this.#retryAt = now + retryMs(this.#failures, host.random());
    if (isLeaving) this.#isMember = false;
    for (const resolve of flushes) resolve();
    this.#context.failed(this, error);
    if (options.whenStoreIsDown === "share" && this.#hasJoined && this.#failures >= FAILURES_UNTIL_SHARE) {
      this.#shareUntil = Infinity;
      for (const allowance of this.allowances) allowance.limitTo(this.processes);
    }
    this.changed();
    host.capacityFreed();
  }

  #apply(attempt: Attempt, answer: StoreAnswer, now: number): void {
    const { host, options } = this.#context;
    this.#attempt = null;
    this.#failures = 0;
    this.#context.answered(this, now - attempt.sentAt);
    if (answer.status === "ok") {
      this.#accept(attempt, answer, now);
      this.#validUntil = attempt.isLeaving ? Infinity : attempt.sentAt + options.processTtlMs;
      this.#isMember = !attempt.isLeaving;
      this.#hasLeft = attempt.isLeaving;
      this.#hasJoined = true;
      for (const resolve of attempt.flushes) resolve();
    } else {
      // Nothing of what was held counts any more, so that it is stated again, with the usage of the last window.
      this.#isMember = false;
      this.#epoch = answer.status === "rebuild" ? answer.epoch : null;
      for (const { log } of this.allowances) log.restart(now);
      this.#isSealed = false;
      for (const allowance of this.allowances) allowance.expire();
      this.#flushes.push(...attempt.flushes);
      this.#retryAt = now;
    }
    for (const { quota } of this.allowances) quota.changed();
    this.changed();
    host.capacityFreed();
  }

  #accept({ wants, facts, allowances }: Attempt, answer: Extract<StoreAnswer, { status: "ok" }>, now: number): void {
    this.#epoch = answer.epoch;
    this.processes = Math.max(1, answer.processes);
    this.#context.learn(this, facts, answer.facts, now);
    this.#isSealed = false;
    const { knownLedger } = answer;
    // A server that took over without the latest writes knows fewer batches, or not even this process.
    const isForgotten = this.#isMember && (knownLedger === null || knownLedger < this.#ledger - 1);
    if (this.#shareUntil === Infinity) this.#shareUntil = now + RETURN_MS;
    let isShort = false;
    for (const [index, allowance] of allowances.entries()) {
      const { granted, used, held } = answer.quotas[index]!;
      allowance.accept(granted, used, held, this.processes, now);
      isShort ||= allowance.spare < allowance.ahead(this.#context.options.aheadMs, now) / 2;
      allowance.isWaitedFor = answer.othersWait;
      if (now >= this.#shareUntil) allowance.limitTo(null);
    }
    if (isForgotten) for (const { log } of this.allowances) log.restart(now);
    this.#aheadFrom = isShort ? now + usageDelayMs(this.#shortestWindowMs) : -Infinity;
    const retryInMs = Math.max(SHORTEST_REFUSAL_MS, Math.min(answer.retryInMs, LONGEST_REFUSAL_MS));
    // Whatever the store says was served: without a grant the same question has the same answer.
    const isGranted = answer.quotas.some(({ granted }) => granted > 0);
    if (wants.length > 0) this.#askFrom = now + 1;
    for (const [index, { needs, count }] of wants.entries()) {
      if (isGranted && (answer.served[index] ?? 0) >= count) continue;
      const scarce = [...needs].filter(([allowance, need]) => allowance.isScarceFor(need));
      for (const [allowance, need] of scarce.length > 0 ? scarce : needs) allowance.refused(need, now + retryInMs);
    }
  }
}
