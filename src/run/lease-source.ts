// Leases for the attempts of one call.
//
//   first    like a plain `acquire`
//   later    as the retry policy plans: in the wait queue for the providers that can be used, in the order of the first
//            arrival, or outside of it until another one can
//
// Regimes: all waits of a call share its patience. A free provider is granted without a promise.

import { ActiveLease } from "../admission/active-lease.ts";
import type { Caller } from "../admission/waiter.ts";
import type { Attempt } from "../api/attempt.ts";
import type { CallOutcome } from "../api/events.ts";
import type { RunOptions } from "../api/run-options.ts";
import { NoAvailableProviders } from "../errors.ts";
import type { Capability } from "../provider/capability.ts";
import { RequestSpec } from "../selection/request-spec.ts";
import { emitCallEvent } from "./call-events.ts";
import { callFailure } from "./call-failure.ts";
import type { MapTurns } from "./map-turns.ts";
import { refusalReasons } from "./refusal-reasons.ts";
import { ANY_PROVIDER, type FailedAttempt, RetryPolicy, retryTerms } from "./retry-policy.ts";
import type { RunDependencies, Signal } from "./run-dependencies.ts";
import { watchPlaces } from "./stuck-items.ts";

/** Default of `maxWaitMs`. */
export const MAX_WAIT_MS = 60_000;

/** Acquires the leases of one call, one after the other, until its time or its patience ends. */
export class LeaseSource implements Caller {
  readonly parts: RunDependencies;
  readonly signal: Signal | undefined;
  readonly options: RunOptions;
  readonly request: RequestSpec;
  readonly timeoutMs: number;
  readonly attempts: Attempt[] = [];
  /** Number of the call. */
  callId = 0;
  /** Instant of the first acquire; NaN: it was refused immediately. */
  startedAt: number = NaN;
  capability: Capability;
  /** Instant at which the call times out; Infinity: never. Known from the first acquire on. */
  deadline: number = Infinity;
  order: number | undefined;
  asksAgain = false;
  withdraw: ((error: unknown) => void) | undefined;
  /** Time that the latest lease was waited for. */
  waitedMs = 0;
  readonly #turns: MapTurns | undefined;
  #retryPolicy: RetryPolicy | undefined;
  #remainingWaitMs: number;
  #stopped: { readonly error: unknown } | null = null;

  /**
   * `options` must have passed the validation, and `request` is made from them. `turns` limits how many calls wait for
   * capacity simultaneously.
   */
  constructor(
    parts: RunDependencies,
    capability: Capability,
    options: RunOptions,
    request: RequestSpec,
    turns: MapTurns | undefined,
  ) {
    this.parts = parts;
    this.signal = options.signal as Signal | undefined;
    this.capability = capability;
    this.options = options;
    this.request = request;
    this.#turns = turns;
    this.timeoutMs = options.timeoutMs ?? parts.defaults.timeoutMs ?? Infinity;
    this.#remainingWaitMs = options.maxWaitMs ?? parts.defaults.maxWaitMs ?? MAX_WAIT_MS;
  }

  get failures(): number {
    return this.attempts.length;
  }

  /** A call that would lose by a failed trial goes to one only if no other call waits. */
  get trialRank(): number {
    const { maxAttempts, idempotent } = retryTerms(this.options, this.parts.defaults);
    return idempotent === false || maxAttempts === 1 ? Infinity : this.failures;
  }

  get mayOverfill(): boolean {
    return this.#turns !== undefined || this.failures > 0;
  }

  /** Calls `act` once, when the signal aborts or at `atMs`. Returns the function that cancels it. */
  watch(atMs: number, act: () => void, isPause = false): () => void {
    const { admission } = this.parts;
    const cancel = admission.watch(this.signal, atMs, act, isPause);
    // Sets the timer.
    admission.endStep();
    return cancel;
  }

  /** Ends the wait for the first lease, with that error. */
  stop(error: unknown): void {
    this.#stopped = { error };
    this.withdraw?.(error);
  }

  /** Throws if the call is over, of which `leftMs` is left. */
  requireTime(leftMs: number): void {
    if (this.signal?.aborted) throw this.signal.reason;
    if (this.#stopped !== null) throw this.#stopped.error;
    if (leftMs <= 0) throw this.failure("timed_out");
  }

  /** How the call ends with that error. */
  outcomeOf(error: unknown): CallOutcome {
    if (this.signal?.aborted && error === this.signal.reason) return "aborted";
    if (this.parts.admission.isOwnClosed(error)) return "closed";
    if (this.#stopped?.error === error) return "stopped";
    // A task can throw such an error of another limiter.
    const isOwn = NoAvailableProviders.is(error) && (error.attempts === this.attempts || this.failures === 0);
    return isOwn ? error.kind : "error";
  }

  failure(kind: NoAvailableProviders["kind"]): NoAvailableProviders {
    return callFailure(this.parts, this.capability, this.request, kind, this.attempts);
  }

  /** Prepares the next lease after a failed attempt. Throws if no other attempt may follow. */
  afterFailure({ provider, isTrial }: ActiveLease, outcome: FailedAttempt["outcome"]): void {
    const { admission, time, defaults, random } = this.parts;
    const { now } = time;
    this.requireTime(this.deadline - now);
    this.#retryPolicy ??= new RetryPolicy(retryTerms(this.options, defaults), random);
    const { registry } = admission.selection;
    const isCoolingDown = (registry.providers.get(provider)?.cooldownMs(now) ?? 0) > 0;
    const candidates = registry.listed(this.capability).filter(({ name }) => !this.request.excludes(name)).length;
    const failed = { provider, outcome, isTrial, isCoolingDown, candidates };
    if (!this.#retryPolicy.afterFailure(failed, now)) throw this.failure("attempts_failed");
  }

  acquire(): ActiveLease | Promise<ActiveLease> {
    this.waitedMs = 0;
    if (this.mayOverfill) return this.#acquireInTurns();
    // Without a promise if a provider is free, which saves an eighth of a call.
    const lease = this.#requestLease(this.request, Infinity);
    // `acquire` has just read the clock.
    const since = this.parts.time.now;
    if (lease instanceof ActiveLease) return lease;
    return lease.then((granted) => {
      this.#spendWait(since);
      return granted;
    });
  }

  /** Acquires a lease for an item of `map` or a retry. Asks again whenever the retry policy allows another provider. */
  async #acquireInTurns(): Promise<ActiveLease> {
    const { admission, time } = this.parts;
    const { registry } = admission.selection;
    const isFirst = this.failures === 0;
    const policy = this.#retryPolicy;
    const turns = this.#turns?.[isFirst ? "first" : "later"];
    for (;;) {
      this.requireTime(this.deadline - time.now);
      const turnSince = time.now;
      const patienceEnd = Math.min(this.deadline, turnSince + this.#remainingWaitMs);
      const hasTurn = await turns?.acquire(
        (giveUp) => (isFirst ? undefined : this.watch(patienceEnd, giveUp)),
        this.order,
      );
      if (hasTurn === false) this.requireTime(0);
      // The list of the capability can have been replaced since the call began.
      this.capability = registry.capabilities.get(this.capability.name) ?? this.capability;
      const since = time.read();
      if (!isFirst) this.#spendWait(turnSince);
      const end = Math.min(this.deadline, since + this.#remainingWaitMs);
      const plan = policy?.plan(registry.providers, end, since) ?? ANY_PROVIDER;
      this.asksAgain = plan.until < end || (plan.isShort && since < end);
      let lease: ActiveLease | null = null;
      let isAccepted: boolean;
      try {
        const request = isFirst ? this.request : this.#retryRequest(plan.without);
        const granted = this.#requestLease(request, plan.until - since);
        lease =
          granted instanceof ActiveLease || !this.#turns
            ? await granted
            : await this.#whilePlacesAreFreed(granted, this.#turns);
      } catch (error) {
        // The reason of an abort can be such an error of another limiter.
        if (isFirst || this.signal?.aborted || !NoAvailableProviders.is(error)) throw error;
        const kind = error.kind === "refused" ? "attempts_failed" : error.kind;
        if (!this.asksAgain) throw this.failure(plan.isShort ? "retry_budget" : kind);
      } finally {
        turns?.release();
        this.#spendWait(since);
        isAccepted = policy?.settle(plan, lease, registry.providers, time.now) ?? true;
      }
      if (lease === null) await this.#pause(plan.until);
      else if (isAccepted && this.#isAdmitted(lease)) return lease;
      else {
        lease.release();
        // Without an attempt the batch has stopped it.
        if (isAccepted && !isFirst) throw this.failure("attempts_failed");
      }
    }
  }

  /** True unless the budget of the batch is spent. */
  #isAdmitted(lease: ActiveLease): boolean {
    try {
      return this.#turns?.admits(lease) ?? true;
    } catch (error) {
      lease.release();
      throw error;
    }
  }

  #retryRequest(without: readonly string[]): RequestSpec {
    const { exclude = [], ...options } = this.options;
    return new RequestSpec({ ...options, exclude: [...exclude, ...without] }, this.#retryPolicy!.failed);
  }

  /** Requests a lease, and waits for at most `waitMs` and the patience of the call. */
  #requestLease(request: RequestSpec, waitMs: number): ActiveLease | Promise<ActiveLease> {
    const { admission, time } = this.parts;
    const isFirst = Number.isNaN(this.startedAt);
    const leftMs = isFirst ? this.timeoutMs : this.deadline - time.now;
    const maxWaitMs = Math.min(waitMs, leftMs, this.#remainingWaitMs);
    const lease = admission.acquire(this.capability, request, this.options, maxWaitMs, this);
    // `acquire` has just read the clock.
    if (isFirst) {
      this.startedAt = time.now;
      this.deadline = this.startedAt + this.timeoutMs;
    }
    if (!(lease instanceof ActiveLease)) {
      emitCallEvent(this, "queued", () => ({ reasons: refusalReasons(this.parts, this.capability, request) }));
    }
    return lease;
  }

  /** Waits outside of the queue. */
  async #pause(until: number): Promise<void> {
    const { admission, time } = this.parts;
    const since = time.now;
    if (admission.isClosed) return;
    await new Promise<void>((resolve) => {
      this.watch(Math.min(until, this.deadline), resolve, true);
    });
    this.#spendWait(since);
  }

  #whilePlacesAreFreed(granted: Promise<ActiveLease>, turns: MapTurns): Promise<ActiveLease> {
    const giveUp = () => this.withdraw!(this.failure("timed_out"));
    return granted.finally(watchPlaces(this.parts, this.capability, this.request, turns, giveUp));
  }

  /** Counts the time since then as waiting. */
  #spendWait(since: number): void {
    const waitedMs = this.parts.time.now - since;
    this.waitedMs += waitedMs;
    this.#remainingWaitMs -= waitedMs;
  }
}
