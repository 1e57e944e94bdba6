import type { Admission } from "../admission/admission.ts";
import type { Lease } from "../admission/lease.ts";
import type { EngineTime } from "../clock/engine-time.ts";
import type { StatusClass } from "../config/status-class.ts";
import { NoAvailableProviders } from "../errors.ts";
import type { Events } from "../events.ts";
import type { Counters } from "../metrics.ts";
import type { Capability } from "../provider/capability.ts";
import { reasonAgainst } from "../selection/reason-against.ts";
import { type Refusal, type RefusalReason, refusalOf } from "../selection/refusal.ts";
import { Request } from "../selection/request.ts";
import type { Attempt } from "./attempt.ts";
import { backoffMs } from "./backoff.ts";
import { classify, TIMEOUT, UNKNOWN, type Verdict } from "./classify.ts";
import { read } from "./read.ts";
import type { RetryBudget } from "./retry-budget.ts";
import type { RunDefaults, RunOptions, TaskResult } from "./run-options.ts";
import type { RunResult } from "./run-result.ts";
import { Attempting } from "./task-context.ts";
import type { Turnstile } from "./turnstile.ts";

/** The parts of a limiter that its calls work with. */
export interface RunParts {
  readonly admission: Admission;
  readonly time: EngineTime;
  readonly counters: Counters;
  readonly events: Events;
  readonly defaults: RunDefaults;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly retryBudget: RetryBudget;
  /** The longest line. */
  readonly maxWaiting: number;
}

/** What is read of a signal. */
export type Signal = AbortSignal & { readonly aborted: boolean; readonly reason: unknown };

/** The error of a time-out, as runtimes name it. */
export function timeoutError(what: string): Error {
  const error = new Error(`${what} timed out`);
  error.name = "TimeoutError";
  return error;
}

const MAX_WAIT_MS = 60_000;
const HANDED_BACK: readonly StatusClass[] = ["success", "client_error", "cancelled"];
// Refused before any work was done.
const UNSERVED: readonly StatusClass[] = ["rate_limited", "quota_exhausted", "unauthorized", "forbidden"];

// What is said of a provider that nothing speaks against.
const HAS_ROOM: RefusalReason["reason"] = "waiters_ahead";
const OPEN = { status: "success", isUnsent: false } as const;

/** One call of `run` or `stream`, or one item of `map`: attempts, one after the other, until one is to be handed back. */
export class Call {
  readonly parts: RunParts;
  readonly signal: Signal | undefined;
  /** When all of it must be over; Infinity: never. */
  deadline: number = Number.POSITIVE_INFINITY;
  readonly #capability: Capability;
  readonly #options: RunOptions;
  readonly #request: Request;
  readonly #turnstile: Turnstile | undefined;
  readonly #attempts: Attempt[] = [];
  #failed: Set<string> | undefined;
  #waitedMs = 0;
  /** How much longer it may wait for room. */
  #patienceMs: number;
  /** Until when providers that failed are left alone. */
  #restUntil = 0;

  /** `options` must have passed the validator; `request` is made from them. With a turnstile, it waits for room in its turn. */
  constructor(parts: RunParts, capability: Capability, options: RunOptions, request: Request, turnstile?: Turnstile) {
    this.parts = parts;
    this.signal = options.signal as Signal | undefined;
    this.#capability = capability;
    this.#options = options;
    this.#request = request;
    this.#turnstile = turnstile;
    this.#patienceMs = this.#setting("maxWaitMs") ?? MAX_WAIT_MS;
  }

  /**
   * What `work` gives in the end; `judge` says what it means, or null: its lease stays open. Rejects with what the work
   * threw, with the signal's reason, or with NoAvailableProviders.
   */
  async serve<T>(
    work: (context: Attempting) => T | PromiseLike<T>,
    judge?: (result: TaskResult) => Verdict | null,
  ): Promise<RunResult<T>> {
    const { time } = this.parts;
    const attempts = this.#attempts;
    for (;;) {
      const lease = await this.#nextLease();
      try {
        this.#requireTime(this.deadline - time.now);
      } catch (error) {
        lease.release();
        throw error;
      }
      const { provider } = lease;
      const context = new Attempting(lease, attempts.length + 1, time.now);
      let result: { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown };
      try {
        result = { ok: true, value: await this.#attempt(work, context) };
      } catch (error) {
        result = { ok: false, error };
      }
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
      }
      const { status, isUnsent } = verdict ?? OPEN;
      const isHandedBack = HANDED_BACK.includes(status) && !context.isAborted;
      const error = !result.ok ? result.error : isHandedBack ? null : result.value;
      attempts.push({ provider, status, waitedMs: this.#waitedMs, latencyMs: time.now - context.startedAt, error });
      if (isHandedBack) {
        if (result.ok) return { value: result.value, provider, attempts };
        throw result.error;
      }
      this.#requireRetry(isUnsent || UNSERVED.includes(status));
      this.#failed ??= new Set();
      this.#failed.add(provider);
      if (result.ok) discard(result.value);
    }
  }

  /** What the end of an attempt means; throws what the caller's `classify` throws. */
  judge(result: TaskResult): Verdict {
    return classify(result, this.#setting("classify"), this.parts.time);
  }

  /** Calls `act` once, when the signal aborts or at `atMs`; returns its cancel. */
  watch(atMs: number, act: () => void): () => void {
    const { admission } = this.parts;
    const cancels: (() => void)[] = [];
    const cancel = () => {
      for (const each of cancels) each();
    };
    const ring = () => {
      cancel();
      act();
      admission.leave();
    };
    if (this.signal !== undefined) cancels.push(admission.onAbort(this.signal, ring));
    if (atMs < Number.POSITIVE_INFINITY) {
      cancels.push(admission.alarm(atMs, ring));
      // The timer is set, here and above, by leaving.
      admission.leave();
    }
    return cancel;
  }

  async #nextLease(): Promise<Lease> {
    const { admission, time, counters, events, retryBudget } = this.parts;
    const { priority = 0, signal, leaseTimeoutMs } = this.#options;
    const timeoutMs = this.#setting("timeoutMs") ?? Number.POSITIVE_INFINITY;
    const capability = this.#capability;
    const last = this.#attempts.at(-1);
    const request = last === undefined ? this.#request : new Request(this.#options, this.#failed);
    if (last !== undefined) await this.#rest(request);
    if (this.#turnstile !== undefined) await this.#turnstile.enter();
    let lease: Lease;
    try {
      const leftMs = last === undefined ? timeoutMs : this.deadline - time.now;
      this.#requireTime(leftMs);
      const maxWaitMs = Math.min(this.#patienceMs, leftMs);
      const granted = admission.acquire(capability, request, { priority, signal, leaseTimeoutMs, maxWaitMs });
      // It has just read the clock.
      const since = time.now;
      if (last === undefined) this.deadline = since + timeoutMs;
      lease = granted instanceof Promise ? await granted : granted;
      this.#waitedMs = time.now - since;
      this.#patienceMs -= this.#waitedMs;
    } catch (error) {
      if (last === undefined || !NoAvailableProviders.is(error)) throw error;
      throw this.#failure(error.kind === "refused" ? "attempts_failed" : error.kind, error);
    } finally {
      this.#turnstile?.leave();
    }
    const { provider } = lease;
    if (last === undefined) {
      retryBudget.countRequest(time.now);
    } else if (provider !== last.provider) {
      counters.failovers++;
      events.raise("failover", { capability: capability.name, from: last.provider, to: provider, status: last.status });
      events.flush();
    }
    return lease;
  }

  /** Leaves alone who failed, unless somebody else can take the request now or they have to be waited for longer anyway. */
  async #rest(request: Request): Promise<void> {
    const reasons = this.#reasons(request);
    const free = reasons.filter(({ reason }) => reason === HAS_ROOM);
    const restMs = this.#restUntil - this.parts.time.now;
    const waitMs = free.length > 0 ? 0 : (refusalOf(reasons).retryAfterMs ?? Number.POSITIVE_INFINITY);
    if (waitMs >= restMs || free.some(({ provider }) => !this.#failed!.has(provider))) return;
    await new Promise<void>((resolve) => {
      this.watch(Math.min(this.#restUntil, this.deadline), resolve);
    });
  }

  #attempt<T>(work: (context: Attempting) => T | PromiseLike<T>, context: Attempting): T | PromiseLike<T> {
    const atMs = Math.min(
      this.deadline,
      context.startedAt + (this.#setting("attemptTimeoutMs") ?? Number.POSITIVE_INFINITY),
    );
    if (this.signal === undefined && atMs === Number.POSITIVE_INFINITY) return work(context);
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
  #verdictOfTimeOut({ startedAt }: Attempting): Verdict {
    const { now } = this.parts.time;
    const timeoutMs = this.#setting("timeoutMs") ?? 0;
    return now >= this.deadline && (now - startedAt) * 2 < timeoutMs ? UNKNOWN : TIMEOUT;
  }

  #requireTime(leftMs: number): void {
    this.#throwIfAborted();
    if (leftMs <= 0) throw this.#failure("timed_out");
  }

  #throwIfAborted(): void {
    if (this.signal?.aborted) throw this.signal.reason;
  }

  #requireRetry(isUnserved: boolean): void {
    const { admission, time, random, retryBudget } = this.parts;
    const made = this.#attempts.length;
    const { only } = this.#options;
    const providers = Math.min(admission.candidates(this.#capability), only?.length ?? Number.POSITIVE_INFINITY);
    this.#requireTime(this.deadline - time.now);
    const isOver = made >= (this.#setting("maxAttempts") ?? Math.max(2, providers));
    if (isOver || !(isUnserved || (this.#setting("idempotent") ?? true))) throw this.#failure("attempts_failed");
    // Who did no work is not helped by holding back from the others.
    const isElsewhere = isUnserved && (this.#failed?.size ?? 0) + 1 < providers;
    if (!isElsewhere && !retryBudget.takeRetry(time.now)) throw this.#failure("retry_budget");
    this.#restUntil = time.now + backoffMs(made - 1, random);
  }

  #reasons(request: Request): readonly RefusalReason[] {
    const { parts } = this.parts.admission;
    const { now } = this.parts.time;
    return parts.registry.listed(this.#capability).map((entry) => reasonAgainst(entry, request, parts, now, true));
  }

  #failure(kind: NoAvailableProviders["kind"], told?: NoAvailableProviders): NoAvailableProviders {
    const attempts = this.#attempts;
    const last = attempts.at(-1);
    const refusal = told === undefined ? this.#refusal() : { ...told, granted: false as const };
    const how = { kind, attempts, ...(last !== undefined && { cause: last.error }) };
    return new NoAvailableProviders(this.#capability.name, refusal, how);
  }

  /** Why nobody takes the request now; no time is told where somebody would. */
  #refusal(): Refusal {
    const reasons = this.#reasons(this.#request);
    const refusal = refusalOf(reasons.filter(({ reason }) => reason !== HAS_ROOM));
    if (refusal.reasons.length === reasons.length) return refusal;
    return { ...refusal, retryAfterMs: null, retryAfterSeconds: null };
  }

  #setting<K extends keyof RunDefaults>(name: K): RunDefaults[K] {
    return this.#options[name] ?? this.parts.defaults[name];
  }
}

/** Frees the connection of a response that nobody will read. */
function discard(value: unknown): void {
  const body = read(value, "body");
  const cancel = read(body, "cancel");
  if (typeof cancel === "function") (async () => cancel.call(body))().catch(() => {});
}
