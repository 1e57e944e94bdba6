// One call: attempts, one after the other, until one of them is final.
//
//   acquire -> begin -> run the task -> classify -> settle -> decide -> acquire ...
//
//   acquire    the first attempt as any `acquire`; later ones as the retry policy plans: wait in the queue for the providers
//              that can be used, in the order of the first arrival, or outside of it until another one can
//   decide     success, client_error and cancelled are final: the caller gets the value or the error untouched;
//              everything else is up to the retry policy
//
// Regimes: without a signal and a time limit no timer is set, and a free provider is granted without a promise.

import type { ActiveLease } from "../admission/active-lease.ts";
import type { Caller } from "../admission/waiter.ts";
import type { Attempt, RunResult } from "../api/attempt.ts";
import type { RunOptions, TaskResult } from "../api/run-options.ts";
import type { StatusClass } from "../api/status-class.ts";
import type { Verdict } from "../api/verdict.ts";
import { NoAvailableProviders } from "../errors.ts";
import type { Capability } from "../provider/capability.ts";
import { RequestSpec } from "../selection/request-spec.ts";
import { AttemptContext, classifyKept } from "./attempt-context.ts";
import { callFailure } from "./call-failure.ts";
import { cancelBody } from "./cancel-body.ts";
import { classifyBy, UNKNOWN } from "./classify.ts";
import { emitFailover } from "./failover-event.ts";
import type { MapTurns } from "./map-turns.ts";
import { ANY_PROVIDER, RetryPolicy, retryTerms } from "./retry-policy.ts";
import type { RunDependencies, Signal } from "./run-dependencies.ts";
import { runTask, type Task } from "./run-task.ts";
import { watchPlaces } from "./stuck-items.ts";
import { timeoutVerdict } from "./timeout-verdict.ts";

/** Default of `maxWaitMs`. */
export const MAX_WAIT_MS = 60_000;
const FINAL_STATUSES: readonly StatusClass[] = ["success", "client_error", "cancelled"];

// Awaited if no lease had to be waited for, so that the task is called after `run` has returned.
const RETURNED: Promise<void> = Promise.resolve();

type Ending<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown };
/** Verdict on a result; null if the lease of the attempt stays open. */
type Classifier = (result: TaskResult) => Verdict | null;

/** One call of `run` or `stream`, or one item of `map`. */
export class FailoverLoop implements Caller {
  readonly parts: RunDependencies;
  readonly signal: Signal | undefined;
  /** Instant at which the call times out; Infinity: never. Known from the first acquire on. */
  deadline: number = Infinity;
  order: number | undefined;
  failures = 0;
  asksAgain = false;
  withdraw: ((error: unknown) => void) | undefined;
  #capability: Capability;
  readonly #options: RunOptions;
  readonly #request: RequestSpec;
  readonly #turns: MapTurns | undefined;
  readonly #timeoutMs: number;
  readonly #attempts: Attempt[] = [];
  #retryPolicy: RetryPolicy | undefined;
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
    turns?: MapTurns,
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

  /** A call that would lose by a failed trial goes to one only if no other call waits. */
  get trialRank(): number {
    const { maxAttempts, idempotent } = retryTerms(this.#options, this.parts.defaults);
    return idempotent === false || maxAttempts === 1 ? Infinity : this.failures;
  }

  get mayOverfill(): boolean {
    return this.#turns !== undefined || this.failures > 0;
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
      const verdict = this.#settle(context, ending, context.isKept ? classifyKept : classifier);
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

  #acquire(): ActiveLease | Promise<ActiveLease> {
    this.#waitedMs = 0;
    if (this.mayOverfill) return this.#acquireInTurns();
    // Without a promise if a provider is free, which saves an eighth of a call.
    const lease = this.#requestLease(this.#request, Infinity);
    // `acquire` has just read the clock.
    const since = this.parts.time.now;
    if (!(lease instanceof Promise)) return lease;
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
      this.#requireTime(this.deadline - time.now);
      const hasTurn = await turns?.acquire(
        (giveUp) => (isFirst ? undefined : this.watch(this.deadline, giveUp)),
        this.order,
      );
      if (hasTurn === false) this.#requireTime(0);
      // The list of the capability can have been replaced since the call began.
      this.#capability = registry.capabilities.get(this.#capability.name) ?? this.#capability;
      const since = time.read();
      const end = Math.min(this.deadline, since + this.#remainingWaitMs);
      const plan = policy?.plan(registry.providers, end, since) ?? ANY_PROVIDER;
      this.asksAgain = plan.until < end || (plan.isShort && since < end);
      let lease: ActiveLease | null = null;
      let isAccepted: boolean;
      try {
        const request = isFirst ? this.#request : this.#retryRequest(plan.without);
        const granted = this.#requestLease(request, plan.until - since);
        lease =
          granted instanceof Promise && this.#turns
            ? await this.#whilePlacesAreFreed(granted, this.#turns)
            : await granted;
      } catch (error) {
        if (isFirst || !NoAvailableProviders.is(error)) throw error;
        const kind = error.kind === "refused" ? "attempts_failed" : error.kind;
        if (!this.asksAgain) throw this.#failure(plan.isShort ? "retry_budget" : kind);
      } finally {
        turns?.release();
        this.#spendWait(since);
        isAccepted = policy?.settle(plan, lease, registry.providers, time.now) ?? true;
      }
      if (lease === null) await this.#pause(plan.until);
      else if (isAccepted) return lease;
      else lease.release();
    }
  }

  #retryRequest(without: readonly string[]): RequestSpec {
    const { exclude = [], ...options } = this.#options;
    return new RequestSpec({ ...options, exclude: [...exclude, ...without] }, this.#retryPolicy!.failed);
  }

  /** Requests a lease, and waits for at most `waitMs` and the patience of the call. */
  #requestLease(request: RequestSpec, waitMs: number): ActiveLease | Promise<ActiveLease> {
    const { admission, time } = this.parts;
    const isFirst = this.deadline === Infinity;
    const leftMs = isFirst ? this.#timeoutMs : this.deadline - time.now;
    const maxWaitMs = Math.min(waitMs, leftMs, this.#remainingWaitMs);
    const lease = admission.acquire(this.#capability, request, this.#options, maxWaitMs, this);
    // `acquire` has just read the clock.
    if (isFirst) this.deadline = time.now + this.#timeoutMs;
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
    const giveUp = () => this.withdraw!(this.#failure("timed_out"));
    return granted.finally(watchPlaces(this.parts, this.#capability, this.#request, turns, giveUp));
  }

  /** Counts the time since then as waiting. */
  #spendWait(since: number): void {
    const waitedMs = this.parts.time.now - since;
    this.#waitedMs += waitedMs;
    this.#remainingWaitMs -= waitedMs;
  }

  /** Emits `failover` if the provider is another one than before. Throws, and releases the lease, if the call is over. */
  #begin(lease: ActiveLease): AttemptContext {
    const { admission, time } = this.parts;
    const { selection } = admission;
    const { now } = time;
    const previous = this.#attempts.at(-1);
    try {
      this.#requireTime(this.deadline - now);
      if (previous === undefined) selection.registry.providers.get(lease.provider)?.retryBudget.countRequest(now);
      else if (previous.provider !== lease.provider) {
        emitFailover(admission, this.#capability.name, previous, lease.provider);
        // A listener can have aborted the call.
        this.#requireTime(this.deadline - time.now);
      }
    } catch (error) {
      lease.release();
      throw error;
    }
    lease.startTask();
    return new AttemptContext(lease, this.#attempts.length + 1, now);
  }

  #runTask<T>(task: Task<T>, context: AttemptContext): T | PromiseLike<T> {
    const attemptMs = this.#options.attemptTimeoutMs ?? this.parts.defaults.attemptTimeoutMs ?? Infinity;
    return runTask(task, context, this, Math.min(this.deadline, context.startedAt + attemptMs));
  }

  /** Settles the lease by the verdict, which it returns; null: the lease stays open. Settles it also if it throws. */
  #settle(context: AttemptContext, ending: TaskResult, classifier: Classifier | undefined): Verdict | null {
    let verdict: Verdict | null = UNKNOWN;
    try {
      if (this.signal?.aborted) throw this.signal.reason;
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
    const { provider, startedAt } = context;
    // A stream has succeeded so far, and its lease stays open.
    const { status, neverConnected } = verdict ?? { status: "success", neverConnected: false };
    const isFinal = FINAL_STATUSES.includes(status) && !context.isAborted;
    const error = !ending.ok ? ending.error : isFinal ? null : ending.value;
    const latencyMs = this.parts.time.now - startedAt;
    const made = { provider, status, waitedMs: this.#waitedMs, latencyMs, error };
    const attempts = this.#attempts;
    this.failures = attempts.push(made);
    if (isFinal) {
      if (ending.ok) return { value: ending.value, provider, attempts };
      throw ending.error;
    }
    this.#requireRetry(context, { status, neverConnected });
    if (ending.ok) cancelBody(ending.value);
    return null;
  }

  #requireRetry({ provider, lease }: AttemptContext, outcome: Pick<Verdict, "status" | "neverConnected">): void {
    const { admission, time, defaults, random } = this.parts;
    const { now } = time;
    this.#requireTime(this.deadline - now);
    this.#retryPolicy ??= new RetryPolicy(retryTerms(this.#options, defaults), random);
    const { registry } = admission.selection;
    const isCoolingDown = (registry.providers.get(provider)?.cooldownMs(now) ?? 0) > 0;
    const candidates = registry.listed(this.#capability).filter(({ name }) => !this.#request.excludes(name)).length;
    const failed = { provider, outcome, isTrial: lease.isTrial, isCoolingDown, candidates };
    if (!this.#retryPolicy.afterFailure(failed, now)) throw this.#failure("attempts_failed");
  }

  #timeoutVerdict({ startedAt, provider }: AttemptContext): Verdict {
    const { admission, time } = this.parts;
    const hadMs = time.now - startedAt;
    const callTimeoutMs = time.now >= this.deadline ? this.#timeoutMs : null;
    const { latencyMs = null } = admission.selection.registry.providers.get(provider)?.health ?? {};
    return timeoutVerdict({ hadMs, callTimeoutMs, usualMs: latencyMs });
  }

  #requireTime(leftMs: number): void {
    if (this.signal?.aborted) throw this.signal.reason;
    if (leftMs <= 0) throw this.#failure("timed_out");
  }

  #failure(kind: NoAvailableProviders["kind"]): NoAvailableProviders {
    return callFailure(this.parts, this.#capability, this.#request, kind, this.#attempts);
  }
}
