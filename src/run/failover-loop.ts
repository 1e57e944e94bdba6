import type { Attempt, RunResult } from "../api/attempt.ts";
import type { Lease } from "../api/lease.ts";
import type { RunOptions, TaskResult } from "../api/run-options.ts";
import type { StatusClass } from "../api/status-class.ts";
import { NoAvailableProviders } from "../errors.ts";
import { UNSERVED } from "../observation/status-code.ts";
import type { Capability } from "../provider/capability.ts";
import { refusalOf } from "../selection/refusal.ts";
import { RequestSpec } from "../selection/request-spec.ts";
import { AttemptContext } from "./attempt-context.ts";
import { backoffMs } from "./backoff.ts";
import { cancelBody } from "./cancel-body.ts";
import { classify, TIMEOUT, UNKNOWN, type Verdict } from "./classify.ts";
import { hasRoom, isUnable, refusalNow, refusalReasons } from "./refusal-reasons.ts";
import { type RunDependencies, type Signal, timeoutError } from "./run-dependencies.ts";
import type { Semaphore } from "./semaphore.ts";

const MAX_WAIT_MS = 60_000;
const HANDED_BACK: readonly StatusClass[] = ["success", "client_error", "cancelled"];

const OPEN = { status: "success", isUnsent: false } as const;
const NONE: readonly Attempt[] = [];
/** Awaited where a lease is there at once: the task is called after `run` has returned, and can be aborted until then. */
const RETURNED: Promise<void> = Promise.resolve();

type Ending<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown };

/** One call of `run` or `stream`, or one item of `map`: attempts, one after the other, until one is to be handed back. */
export class FailoverLoop {
  readonly parts: RunDependencies;
  readonly signal: Signal | undefined;
  /** When all of it must be over; Infinity: never. */
  deadline: number = Infinity;
  #capability: Capability;
  readonly #options: RunOptions;
  readonly #request: RequestSpec;
  readonly #turnstile: Semaphore | undefined;
  readonly #timeoutMs: number;
  #attempts: readonly Attempt[] = NONE;
  #failed: Set<string> | undefined;
  /** The next attempt costs the retry budget nothing, as long as it is somebody else's. */
  #isFree = false;
  /** When it asked for room last, and how long it waited for it. */
  #askedAt = 0;
  #waitedMs = 0;
  /** How much longer it may wait for room. */
  #patienceMs: number;
  /** Until when providers that failed are left alone. */
  #restUntil = 0;

  /** `options` must have passed the validator; `request` is made from them. With a turnstile, it waits for room in its turn. */
  constructor(
    parts: RunDependencies,
    capability: Capability,
    options: RunOptions,
    request: RequestSpec,
    turnstile?: Semaphore,
  ) {
    this.parts = parts;
    this.signal = options.signal as Signal | undefined;
    this.#capability = capability;
    this.#options = options;
    this.#request = request;
    this.#turnstile = turnstile;
    this.#timeoutMs = options.timeoutMs ?? parts.defaults.timeoutMs ?? Infinity;
    this.#patienceMs = options.maxWaitMs ?? parts.defaults.maxWaitMs ?? MAX_WAIT_MS;
  }

  /**
   * What `work` gives in the end; `judge` says what it means, or null: its lease stays open. Rejects with what the work
   * threw, with the signal's reason, or with NoAvailableProviders.
   */
  async serve<T>(
    work: (context: AttemptContext) => T | PromiseLike<T>,
    judge?: (result: TaskResult) => Verdict | null,
  ): Promise<RunResult<T>> {
    for (;;) {
      let lease = this.#lease();
      if (lease instanceof Promise) lease = await lease;
      else await RETURNED;
      const context = this.#begin(lease);
      let result: Ending<T>;
      try {
        result = { ok: true, value: await this.#attempt(work, context) };
      } catch (error) {
        result = { ok: false, error };
      }
      const served = this.#end(context, result, judge);
      if (served !== null) return served;
    }
  }

  #begin(lease: Lease): AttemptContext {
    const { now } = this.parts.time;
    this.#keep(lease);
    const { status, provider: from = lease.provider } = this.#attempts.at(-1) ?? {};
    if (status !== undefined && lease.provider !== from) {
      const { counters, events } = this.parts;
      counters.failovers++;
      events.emit("failover", { capability: this.#capability.name, from, to: lease.provider, status });
      events.flush();
      // A listener may have given the call up.
      this.#keep(lease);
    }
    return new AttemptContext(lease, this.#attempts.length + 1, now);
  }

  /** Gives the lease back where the call is over. */
  #keep(lease: Lease): void {
    try {
      this.#requireTime(this.deadline - this.parts.time.now);
    } catch (error) {
      lease.release();
      throw error;
    }
  }

  /** What the call comes to by this ending; null: another attempt is to be made. */
  #end<T>(
    context: AttemptContext,
    ending: Ending<T>,
    judge: ((result: TaskResult) => Verdict | null) | undefined,
  ): RunResult<T> | null {
    const { lease, provider } = context;
    let result = ending;
    let verdict: Verdict | null = UNKNOWN;
    try {
      this.#throwIfAborted();
      if (context.isAborted) {
        result = { ok: false, error: context.reason };
        verdict = this.#verdictOfTimeOut(context);
      } else {
        verdict = judge === undefined ? this.judge(result) : judge(result);
      }
    } finally {
      if (verdict !== null) lease.settle(verdict.settlement);
      else this.parts.admission.endStep();
    }
    const { status, isUnsent } = verdict ?? OPEN;
    const isHandedBack = HANDED_BACK.includes(status) && !context.isAborted;
    const error = !result.ok ? result.error : isHandedBack ? null : result.value;
    const latencyMs = this.parts.time.now - context.startedAt;
    const attempt = { provider, status, waitedMs: this.#waitedMs, latencyMs, error };
    const attempts = context.attempt === 1 ? [attempt] : [...this.#attempts, attempt];
    this.#attempts = attempts;
    if (isHandedBack) {
      if (result.ok) return { value: result.value, provider, attempts };
      throw result.error;
    }
    this.#failed ??= new Set();
    this.#failed.add(provider);
    this.#requireRetry(isUnsent || UNSERVED.includes(status));
    if (result.ok) cancelBody(result.value);
    return null;
  }

  /** What the end of an attempt means; throws what the caller's `classify` throws. */
  judge(result: TaskResult): Verdict {
    const { parts } = this;
    return classify(result, this.#options.classify ?? parts.defaults.classify, parts.time);
  }

  /** Calls `act` once, when the signal aborts or at `atMs`; returns its cancel. */
  watch(atMs: number, act: () => void, isPause = false): () => void {
    const { admission } = this.parts;
    const cancel = admission.watch(this.signal, atMs, act, isPause);
    // The timer is set by leaving.
    admission.endStep();
    return cancel;
  }

  /** A lease for the next attempt; where the first finds room, without a promise, which saves an eighth of a call. */
  #lease(): Lease | Promise<Lease> {
    if (this.#turnstile !== undefined || this.#attempts !== NONE) return this.#leaseInTurn();
    const granted = this.#acquire(this.#request);
    return granted instanceof Promise ? granted.then((lease) => this.#granted(lease)) : this.#granted(granted);
  }

  async #leaseInTurn(): Promise<Lease> {
    const isFirst = this.#attempts === NONE;
    const request = isFirst ? this.#request : new RequestSpec(this.#options, this.#failed);
    if (!isFirst) await this.#rest(request);
    const isIn = await this.#turnstile?.enter((giveUp) => (isFirst ? undefined : this.watch(this.deadline, giveUp)));
    if (isIn === false) {
      this.#throwIfAborted();
      throw this.#failure("timed_out");
    }
    // Its list may have been replaced since the call began.
    const { capabilities } = this.parts.admission.selection.registry;
    this.#capability = capabilities.get(this.#capability.name) ?? this.#capability;
    let lease: Lease;
    try {
      const granted = this.#acquire(request);
      lease = granted instanceof Promise ? await granted : granted;
    } catch (error) {
      if (isFirst || !NoAvailableProviders.is(error)) throw error;
      throw this.#failure(error.kind === "refused" ? "attempts_failed" : error.kind, error);
    } finally {
      this.#turnstile?.leave();
    }
    // It was to go to somebody else, who turned out to have no room.
    if (this.#isFree && this.#failed?.has(lease.provider) && !this.parts.retryBudget.takeRetry(this.parts.time.now)) {
      lease.release();
      throw this.#failure("retry_budget");
    }
    return this.#granted(lease);
  }

  #acquire(request: RequestSpec): Lease | Promise<Lease> {
    const { admission, time } = this.parts;
    const isFirst = this.#attempts === NONE;
    const leftMs = isFirst ? this.#timeoutMs : this.deadline - time.now;
    this.#requireTime(leftMs);
    const maxWaitMs = leftMs < this.#patienceMs ? leftMs : this.#patienceMs;
    const mayOverfill = this.#turnstile !== undefined;
    const granted = admission.acquire(this.#capability, request, this.#options, maxWaitMs, mayOverfill);
    // It has just read the clock.
    this.#askedAt = time.now;
    if (isFirst) this.deadline = this.#askedAt + this.#timeoutMs;
    return granted;
  }

  /** Counts that it came. */
  #granted(lease: Lease): Lease {
    const { time, retryBudget } = this.parts;
    this.#waitedMs = time.now - this.#askedAt;
    this.#patienceMs -= this.#waitedMs;
    if (this.#attempts === NONE) retryBudget.countRequest(time.now);
    return lease;
  }

  /** Leaves alone who failed, unless somebody else can take the request now or they have to be waited for longer anyway. */
  async #rest(request: RequestSpec): Promise<void> {
    const { admission, time } = this.parts;
    if (admission.isClosed) return;
    const reasons = refusalReasons(this.parts, this.#capability, request);
    const isRoom = reasons.some(hasRoom);
    // Where the end of a request makes room, nobody knows when: that is no reason to come back at once.
    const waitMs = isRoom ? 0 : (refusalOf(reasons).retryAfterMs ?? (reasons.every(isUnable) ? Infinity : 0));
    const next = isRoom ? admission.wouldGrant(this.#capability, request, this.#options) : null;
    if (waitMs >= this.#restUntil - time.now || (next !== null && !this.#failed!.has(next))) return;
    await new Promise<void>((resolve) => {
      this.watch(Math.min(this.#restUntil, this.deadline), resolve, true);
    });
  }

  #attempt<T>(work: (context: AttemptContext) => T | PromiseLike<T>, context: AttemptContext): T | PromiseLike<T> {
    const attemptMs = this.#options.attemptTimeoutMs ?? this.parts.defaults.attemptTimeoutMs ?? Infinity;
    const atMs = Math.min(this.deadline, context.startedAt + attemptMs);
    if (this.signal === undefined && atMs === Infinity) return work(context);
    return new Promise((resolve, reject) => {
      const cancel = this.watch(atMs, () => {
        const reason = this.signal?.aborted ? this.signal.reason : timeoutError("the attempt");
        reject(reason);
        context.abort(reason);
      });
      // What comes later than that is nobody's any more.
      (async () => work(context))().then(
        (value) => {
          cancel();
          resolve(value);
        },
        (error) => {
          cancel();
          reject(error);
        },
      );
    });
  }

  /** Where little of the call's time was left, the provider is not to blame. */
  #verdictOfTimeOut({ startedAt }: AttemptContext): Verdict {
    const { now } = this.parts.time;
    return now >= this.deadline && (now - startedAt) * 2 < this.#timeoutMs ? UNKNOWN : TIMEOUT;
  }

  #requireTime(leftMs: number): void {
    this.#throwIfAborted();
    if (leftMs <= 0) throw this.#failure("timed_out");
  }

  #throwIfAborted(): void {
    if (this.signal?.aborted) throw this.signal.reason;
  }

  #requireRetry(isUnserved: boolean): void {
    const { time, defaults, random, retryBudget } = this.parts;
    const made = this.#attempts.length;
    this.#requireTime(this.deadline - time.now);
    const isOver = made >= (this.#options.maxAttempts ?? defaults.maxAttempts ?? Math.max(2, this.#candidates()));
    if (isOver || !(isUnserved || (this.#options.idempotent ?? defaults.idempotent ?? true)))
      throw this.#failure("attempts_failed");
    // Who did no work is not helped by holding back from the others.
    this.#isFree =
      isUnserved &&
      refusalReasons(this.parts, this.#capability, this.#request).some(
        (obstacle) => !isUnable(obstacle) && !this.#failed!.has(obstacle.provider),
      );
    if (!this.#isFree && !retryBudget.takeRetry(time.now)) throw this.#failure("retry_budget");
    this.#restUntil = time.now + backoffMs(made - 1, random);
  }

  /** How many providers it may go to. */
  #candidates(): number {
    const { registry } = this.parts.admission.selection;
    return registry.listed(this.#capability).filter(({ name }) => !this.#request.excludes(name)).length;
  }

  #failure(kind: NoAvailableProviders["kind"], told?: NoAvailableProviders): NoAvailableProviders {
    // The empty list is everybody's.
    const attempts = [...this.#attempts];
    const last = attempts.at(-1);
    const refusal =
      told === undefined
        ? refusalNow(this.parts, this.#capability, this.#request)
        : { ...told, granted: false as const };
    const how = { kind, attempts, ...(last !== undefined && { cause: last.error }) };
    return new NoAvailableProviders(this.#capability.name, refusal, how);
  }
}
