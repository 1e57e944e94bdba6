// One call: attempts, one after the other, until one of them is final.
//
//   acquire -> begin -> run the task -> classify -> settle -> decide -> (back off) -> acquire ...
//
//   acquire    the first attempt as any `acquire`; later ones prefer providers that have not failed this call
//   decide     success, client_error and cancelled are final: the caller gets the value or the error untouched;
//              everything else is up to the retry policy
//   back off   until providers that failed may be used again, unless another provider can take the request now, or every
//              provider takes longer than that anyway
//
// Regimes: without a signal and a time limit no timer is set, and a free provider is granted without a promise.

import type { Attempt, RunResult } from "../api/attempt.ts";
import type { Lease } from "../api/lease.ts";
import type { RunOptions, TaskResult } from "../api/run-options.ts";
import type { StatusClass } from "../api/status-class.ts";
import type { Verdict } from "../api/verdict.ts";
import { NoAvailableProviders } from "../errors.ts";
import type { Capability } from "../provider/capability.ts";
import { refusalOf } from "../selection/refusal.ts";
import { RequestSpec } from "../selection/request-spec.ts";
import { AttemptContext } from "./attempt-context.ts";
import { callFailure } from "./call-failure.ts";
import { cancelBody } from "./cancel-body.ts";
import { classifyBy, TIMEOUT, UNKNOWN } from "./classify.ts";
import { hasCapacity, isUnable, refusalReasons } from "./refusal-reasons.ts";
import { retryCandidates } from "./retry-candidates.ts";
import { RetryPolicy } from "./retry-policy.ts";
import type { RunDependencies, Signal } from "./run-dependencies.ts";
import type { Semaphore } from "./semaphore.ts";
import { timeoutError } from "./timeout-error.ts";

/** Default of `maxWaitMs`. */
export const MAX_WAIT_MS = 60_000;
const FINAL_STATUSES: readonly StatusClass[] = ["success", "client_error", "cancelled"];

const STILL_OPEN = { status: "success", neverConnected: false } as const;
const NO_ATTEMPTS: readonly Attempt[] = [];
// Awaited if a lease is granted without waiting, so that the task is called after `run` has returned.
const RETURNED: Promise<void> = Promise.resolve();

type Task<T> = (context: AttemptContext) => T | PromiseLike<T>;
type Ending<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown };
/** Verdict on a result; null if the lease of the attempt stays open. */
type Classifier = (result: TaskResult) => Verdict | null;

/** One call of `run` or `stream`, or one item of `map`. */
export class FailoverLoop {
  readonly parts: RunDependencies;
  readonly signal: Signal | undefined;
  /** Instant at which the call times out; Infinity: never. Known from the first acquire on. */
  deadline: number = Infinity;
  #capability: Capability;
  readonly #options: RunOptions;
  readonly #request: RequestSpec;
  readonly #turns: Semaphore | undefined;
  readonly #timeoutMs: number;
  #attempts: readonly Attempt[] = NO_ATTEMPTS;
  #failed: Set<string> | undefined;
  #retryPolicy: RetryPolicy | undefined;
  #isFreeRetry = false;
  #leaveAloneUntil = 0;
  #acquiringSince = 0;
  #waitedMs = 0;
  #remainingWaitMs: number;

  /**
   * `options` must have passed the validation, and `request` is made from them. `turns` limits how many calls wait for
   * capacity simultaneously.
   */
  constructor(
    parts: RunDependencies,
    capability: Capability,
    options: RunOptions,
    request: RequestSpec,
    turns?: Semaphore,
  ) {
    this.parts = parts;
    this.signal = options.signal as Signal | undefined;
    this.#capability = capability;
    this.#options = options;
    this.#request = request;
    this.#turns = turns;
    this.#timeoutMs = options.timeoutMs ?? parts.defaults.timeoutMs ?? Infinity;
    this.#remainingWaitMs = options.maxWaitMs ?? parts.defaults.maxWaitMs ?? MAX_WAIT_MS;
  }

  /**
   * Makes attempts until one is final. `classifier` replaces `classify`. Rejects with the error of the task, with the
   * signal's reason, or with NoAvailableProviders.
   */
  async serve<T>(task: Task<T>, classifier?: Classifier): Promise<RunResult<T>> {
    for (;;) {
      let lease = this.#acquire();
      if (lease instanceof Promise) lease = await lease;
      else await RETURNED;
      const context = this.#begin(lease);
      let ending: Ending<T>;
      try {
        ending = { ok: true, value: await this.#runTask(task, context) };
      } catch (error) {
        ending = { ok: false, error };
      }
      if (context.isAborted) ending = { ok: false, error: context.reason };
      const verdict = this.#settle(context, ending, classifier);
      const served = this.#decide(context, ending, verdict);
      if (served !== null) return served;
    }
  }

  /** Verdict on the result of an attempt. Throws what the classifier of the caller throws. */
  classify(result: TaskResult): Verdict {
    const { defaults, time } = this.parts;
    return classifyBy(this.#options.classify ?? defaults.classify, result, time.readEpoch);
  }

  /** Calls `act` once, when the signal aborts or at `atMs`. Returns the function that cancels it. */
  watch(atMs: number, act: () => void, isPause = false): () => void {
    const { admission } = this.parts;
    const cancel = admission.watch(this.signal, atMs, act, isPause);
    // Sets the timer.
    admission.endStep();
    return cancel;
  }

  #acquire(): Lease | Promise<Lease> {
    if (this.#turns !== undefined || this.#attempts !== NO_ATTEMPTS) return this.#acquireInTurn();
    // Without a promise if a provider is free, which saves an eighth of a call.
    const lease = this.#requestLease(this.#request);
    return lease instanceof Promise ? lease.then((granted) => this.#accept(granted)) : this.#accept(lease);
  }

  async #acquireInTurn(): Promise<Lease> {
    const isFirst = this.#attempts === NO_ATTEMPTS;
    const request = isFirst ? this.#request : new RequestSpec(this.#options, this.#failed);
    if (!isFirst) await this.#backOff(request);
    const hasTurn = await this.#turns?.acquire((giveUp) => (isFirst ? undefined : this.watch(this.deadline, giveUp)));
    if (hasTurn === false) {
      this.#throwIfAborted();
      throw this.#failure("timed_out");
    }
    // The list of the capability can have been replaced since the call began.
    const { capabilities } = this.parts.admission.selection.registry;
    this.#capability = capabilities.get(this.#capability.name) ?? this.#capability;
    let lease: Lease;
    try {
      const granted = this.#requestLease(request);
      lease = granted instanceof Promise ? await granted : granted;
    } catch (error) {
      if (isFirst || !NoAvailableProviders.is(error)) throw error;
      throw this.#failure(error.kind === "refused" ? "attempts_failed" : error.kind, error);
    } finally {
      this.#turns?.release();
    }
    const hasFailedBefore = this.#failed?.has(lease.provider) ?? false;
    if (this.#retryPolicy?.acceptsLease(this.#isFreeRetry, hasFailedBefore, this.parts.time.now) === false) {
      lease.release();
      throw this.#failure("retry_budget");
    }
    return this.#accept(lease);
  }

  #requestLease(request: RequestSpec): Lease | Promise<Lease> {
    const { admission, defaults, time } = this.parts;
    const isFirst = this.#attempts === NO_ATTEMPTS;
    const leftMs = isFirst ? this.#timeoutMs : this.deadline - time.now;
    this.#requireTime(leftMs);
    const maxWaitMs = leftMs < this.#remainingWaitMs ? leftMs : this.#remainingWaitMs;
    const mayOverfill = this.#turns !== undefined;
    const { maxAttempts = defaults.maxAttempts, idempotent = defaults.idempotent } = this.#options;
    const trialRank = idempotent === false || maxAttempts === 1 ? Infinity : this.#attempts.length;
    const lease = admission.acquire(this.#capability, request, this.#options, maxWaitMs, mayOverfill, trialRank);
    // `acquire` has just read the clock.
    this.#acquiringSince = time.now;
    if (isFirst) this.deadline = this.#acquiringSince + this.#timeoutMs;
    return lease;
  }

  /** Records how long the lease took, and the request itself with its first lease. */
  #accept(lease: Lease): Lease {
    const { time, retryBudget } = this.parts;
    this.#waitedMs = time.now - this.#acquiringSince;
    this.#remainingWaitMs -= this.#waitedMs;
    if (this.#attempts === NO_ATTEMPTS) retryBudget.countRequest(time.now);
    return lease;
  }

  async #backOff(request: RequestSpec): Promise<void> {
    const { admission, time } = this.parts;
    if (admission.isClosed) return;
    const reasons = refusalReasons(this.parts, this.#capability, request);
    const isAnyFree = reasons.some(hasCapacity);
    const knownWaitMs = isAnyFree ? 0 : refusalOf(reasons).retryAfterMs;
    // Without a known time the call backs off, too, unless no provider ever becomes able to take the request.
    const waitMs = knownWaitMs ?? (reasons.every(isUnable) ? Infinity : 0);
    const next = isAnyFree ? admission.wouldGrant(this.#capability, request, this.#options) : null;
    const isOther = next !== null && !this.#failed!.has(next);
    if (isOther || waitMs >= this.#leaveAloneUntil - time.now) return;
    await new Promise<void>((resolve) => {
      this.watch(Math.min(this.#leaveAloneUntil, this.deadline), resolve, true);
    });
  }

  /** Emits `failover` if the provider is another one than before. Throws, and releases the lease, if the call is over. */
  #begin(lease: Lease): AttemptContext {
    const { counters, events, time } = this.parts;
    const { now } = time;
    const previous = this.#attempts.at(-1);
    try {
      this.#requireTime(this.deadline - now);
      if (previous !== undefined && previous.provider !== lease.provider) {
        const { provider: from, status } = previous;
        counters.failovers++;
        events.emit("failover", { capability: this.#capability.name, from, to: lease.provider, status });
        events.flush();
        // A listener can have aborted the call.
        this.#requireTime(this.deadline - time.now);
      }
    } catch (error) {
      lease.release();
      throw error;
    }
    return new AttemptContext(lease, this.#attempts.length + 1, now);
  }

  #runTask<T>(task: Task<T>, context: AttemptContext): T | PromiseLike<T> {
    const attemptMs = this.#options.attemptTimeoutMs ?? this.parts.defaults.attemptTimeoutMs ?? Infinity;
    const atMs = Math.min(this.deadline, context.startedAt + attemptMs);
    if (this.signal === undefined && atMs === Infinity) return task(context);
    return new Promise((resolve, reject) => {
      const cancel = this.watch(atMs, () => {
        const reason = this.signal?.aborted ? this.signal.reason : timeoutError("the attempt");
        reject(reason);
        context.abort(reason);
      });
      const ended =
        <V>(settle: (value: V) => void) =>
        (value: V) => {
          cancel();
          settle(value);
        };
      (async () => task(context))().then(ended(resolve), ended(reject));
    });
  }

  /** Settles the lease by the verdict, which it returns; null: the lease stays open. Settles it also if it throws. */
  #settle(context: AttemptContext, ending: TaskResult, classifier: Classifier | undefined): Verdict | null {
    let verdict: Verdict | null = UNKNOWN;
    try {
      this.#throwIfAborted();
      if (context.isAborted) verdict = this.#timeoutVerdict(context);
      else verdict = classifier === undefined ? this.classify(ending) : classifier(ending);
    } finally {
      if (verdict !== null) context.lease.settle(verdict.settlement);
      else this.parts.admission.endStep();
    }
    return verdict;
  }

  /** Result of the call, if the attempt is final; null: another attempt follows. Throws the final error. */
  #decide<T>(context: AttemptContext, ending: Ending<T>, verdict: Verdict | null): RunResult<T> | null {
    const { provider, attempt, startedAt } = context;
    const { status, neverConnected } = verdict ?? STILL_OPEN;
    const isFinal = FINAL_STATUSES.includes(status) && !context.isAborted;
    const error = !ending.ok ? ending.error : isFinal ? null : ending.value;
    const latencyMs = this.parts.time.now - startedAt;
    const made = { provider, status, waitedMs: this.#waitedMs, latencyMs, error };
    const attempts = attempt === 1 ? [made] : [...this.#attempts, made];
    this.#attempts = attempts;
    if (isFinal) {
      if (ending.ok) return { value: ending.value, provider, attempts };
      throw ending.error;
    }
    this.#failed ??= new Set();
    this.#failed.add(provider);
    this.#requireRetry({ status, neverConnected }, this.#failed);
    if (ending.ok) cancelBody(ending.value);
    return null;
  }

  #requireRetry(outcome: Pick<Verdict, "status" | "neverConnected">, failed: ReadonlySet<string>): void {
    const { time, defaults, random, retryBudget } = this.parts;
    const { maxAttempts = defaults.maxAttempts, idempotent = defaults.idempotent } = this.#options;
    const { now } = time;
    this.#requireTime(this.deadline - now);
    this.#retryPolicy ??= new RetryPolicy({ maxAttempts, idempotent }, retryBudget);
    const candidates = retryCandidates(this.parts, this.#capability, this.#request, failed);
    const failure = { attempts: this.#attempts.length, outcome, candidates, now, random };
    const decision = this.#retryPolicy.afterFailure(failure);
    if (decision.kind === "stop") throw this.#failure(decision.reason);
    this.#isFreeRetry = decision.isFree;
    this.#leaveAloneUntil = decision.leaveAloneUntil;
  }

  /** Blames the provider for a time-out of the call only if the attempt had at least half of the call's time. */
  #timeoutVerdict({ startedAt, provider }: AttemptContext): Verdict {
    const { admission, time } = this.parts;
    const hadMs = time.now - startedAt;
    if (time.now >= this.deadline && hadMs * 2 < this.#timeoutMs) return UNKNOWN;
    // The provider usually takes longer, so a time-out that the caller chose proves nothing.
    const usualMs = admission.selection.registry.providers.get(provider)?.health.latencyMs ?? 0;
    return hadMs < usualMs ? { ...TIMEOUT, settlement: UNKNOWN.settlement } : TIMEOUT;
  }

  #requireTime(leftMs: number): void {
    this.#throwIfAborted();
    if (leftMs <= 0) throw this.#failure("timed_out");
  }

  #throwIfAborted(): void {
    if (this.signal?.aborted) throw this.signal.reason;
  }

  #failure(kind: NoAvailableProviders["kind"], refused?: NoAvailableProviders): NoAvailableProviders {
    return callFailure(this.parts, this.#capability, this.#request, kind, this.#attempts, refused);
  }
}
