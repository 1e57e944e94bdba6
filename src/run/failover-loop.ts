// One call: attempts, one after the other, until one of them is final.
//
//   acquire -> begin -> run the task -> classify -> settle -> decide -> acquire ...
//
//   acquire    a lease of the lease source
//   decide     success, client_error and cancelled are final: the caller gets the value or the error untouched;
//              everything else is up to the retry policy
//
// Regimes: without a signal and a time limit no timer is set.

import { ActiveLease } from "../admission/active-lease.ts";
import type { RunResult } from "../api/attempt.ts";
import type { CallOutcome } from "../api/events.ts";
import type { RunOptions, TaskResult } from "../api/run-options.ts";
import type { StatusClass } from "../api/status-class.ts";
import type { Verdict } from "../api/verdict.ts";
import { reportUnrecognized } from "../observation/unrecognized-outcome.ts";
import type { Capability } from "../provider/capability.ts";
import type { RequestSpec } from "../selection/request-spec.ts";
import { AttemptContext, classifyKept } from "./attempt-context.ts";
import { AttemptRecord } from "./attempt-record.ts";
import { emitAttemptEnded, emitAttemptStarted, emitCallEnded } from "./call-events.ts";
import { cancelBody } from "./cancel-body.ts";
import { classifyBy, classifyEvent, UNKNOWN } from "./classification/classify.ts";
import { emitFailover } from "./failover-event.ts";
import { LeaseSource } from "./lease-source.ts";
import type { MapTurns } from "./map-turns.ts";
import { withResultUsage } from "./result-usage.ts";
import type { RunDependencies } from "./run-dependencies.ts";
import { runTask, type Task } from "./run-task.ts";
import { timeoutVerdict } from "./timeout-verdict.ts";
import { UnsuitableAnswer } from "./unsuitable-answer.ts";

const FINAL_STATUSES: readonly StatusClass[] = ["success", "client_error", "cancelled"];

// Awaited if no lease had to be waited for, so that the task is called after `run` has returned.
const RETURNED: Promise<void> = Promise.resolve();

type Ending<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown };
/** Verdict on a result; null if the lease of the attempt stays open. */
type Classifier = (result: TaskResult) => Verdict | null;

/** One call of `run` or `stream`, or one item of `map`. */
export class FailoverLoop {
  readonly parts: RunDependencies;
  readonly leases: LeaseSource;
  #unsuitable: UnsuitableAnswer | undefined;
  #latest: AttemptContext | undefined;

  /** As the constructor of `LeaseSource`. */
  constructor(
    parts: RunDependencies,
    capability: Capability,
    options: RunOptions,
    request: RequestSpec,
    turns?: MapTurns,
  ) {
    this.parts = parts;
    this.leases = new LeaseSource(parts, capability, options, request, turns);
  }

  /**
   * Makes attempts until one is final. `classifier` replaces `classify`. Rejects with the error of the task, with the
   * signal's reason, or with NoAvailableProviders.
   */
  async serve<T>(task: Task<T>, classifier?: Classifier): Promise<RunResult<T>> {
    const { admission } = this.parts;
    this.leases.callId = admission.callBegan();
    let outcome: CallOutcome = "value";
    try {
      for (;;) {
        let lease = this.leases.acquire();
        if (lease instanceof ActiveLease) await RETURNED;
        else lease = await lease;
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
    } catch (error) {
      try {
        if (this.#unsuitable === undefined) throw error;
        return this.#unsuitable.resultOf(error, this.leases.attempts);
      } catch (final) {
        outcome = this.leases.outcomeOf(final);
        throw final;
      }
    } finally {
      emitCallEnded(this.leases, outcome, this.#latest);
      admission.callEnded();
    }
  }

  /** Ends the call with that error unless an attempt has begun. */
  stop(error: unknown): void {
    if (this.#latest === undefined) this.leases.stop(error);
  }

  /** Verdict on the result of an attempt. Throws what the classifier of the caller throws. */
  classify(result: TaskResult): Verdict {
    const { defaults, time } = this.parts;
    return classifyBy(
      this.leases.options.classify ?? defaults.classify,
      result,
      time.readEpoch,
      () => this.#latest!.lease.reserved,
    );
  }

  /** True for the first chunk of a stream if it is an error event, after which another provider can serve. */
  isErrorEvent({ done, value }: IteratorResult<unknown>): boolean {
    const verdict = done ? undefined : classifyEvent(value, this.parts.time.readEpoch);
    return verdict !== undefined && !FINAL_STATUSES.includes(verdict.status);
  }

  /** Counts a result that no rule recognizes. */
  reportUnrecognized(result: TaskResult): void {
    const outcome = result.ok ? result.value : result.error;
    reportUnrecognized(outcome, this.#latest!.lease, this.parts.admission);
  }

  /** Emits `failover` if the provider is another one than before. Throws, and releases the lease, if the call is over. */
  #begin(lease: ActiveLease): AttemptContext {
    const { admission, time } = this.parts;
    const { selection } = admission;
    const { now } = time;
    const previous = this.leases.attempts.at(-1);
    try {
      this.leases.requireTime(this.leases.deadline - now);
      if (previous === undefined) selection.registry.providers.get(lease.provider)?.retryBudget.countRequest(now);
      else if (previous.provider !== lease.provider) {
        emitFailover(admission, this.leases.capability.name, previous, lease.provider);
        // A listener can have aborted the call.
        this.leases.requireTime(this.leases.deadline - time.now);
      }
    } catch (error) {
      lease.release();
      throw error;
    }
    lease.startTask();
    const context = new AttemptContext(lease, this.leases.attempts.length + 1, now);
    this.#latest = context;
    emitAttemptStarted(this.leases, context);
    // A listener can have aborted the call.
    const { signal } = this.leases;
    if (!signal?.aborted) return context;
    lease.release();
    emitAttemptEnded(this.leases, context, "cancelled");
    throw signal.reason;
  }

  #runTask<T>(task: Task<T>, context: AttemptContext): T | PromiseLike<T> {
    const attemptMs = this.leases.options.attemptTimeoutMs ?? this.parts.defaults.attemptTimeoutMs ?? Infinity;
    return runTask(task, context, this.leases, Math.min(this.leases.deadline, context.startedAt + attemptMs));
  }

  /** Settles the lease by the verdict, which it returns; null: the lease stays open. Settles it also if it throws. */
  #settle(context: AttemptContext, ending: TaskResult, classifier: Classifier | undefined): Verdict | null {
    let verdict: Verdict | null = UNKNOWN;
    try {
      const { signal } = this.leases;
      if (signal?.aborted) throw signal.reason;
      if (context.isAborted) verdict = this.#timeoutVerdict(context);
      else verdict = classifier === undefined ? this.classify(ending) : classifier(ending);
    } catch (error) {
      if (ending.ok) cancelBody(ending.value);
      throw error;
    } finally {
      if (verdict?.isRecognized === false) this.reportUnrecognized(ending);
      if (verdict !== null) {
        context.lease.settle(withResultUsage(verdict.settlement, ending, context.lease.hasReported));
      } else {
        context.lease.leaveTrial();
        this.parts.admission.endStep();
      }
      emitAttemptEnded(this.leases, context, verdict?.status ?? "success");
    }
    return verdict;
  }

  /** Result of the call, if the attempt is final; null: another attempt follows. Throws the final error. */
  #decide<T>(context: AttemptContext, ending: Ending<T>, verdict: Verdict | null): RunResult<T> | null {
    const { provider, startedAt } = context;
    // A stream has succeeded so far, and its lease stays open.
    const { status } = verdict ?? { status: "success" };
    const isFinal = FINAL_STATUSES.includes(status) && !context.isAborted;
    const error = !ending.ok ? ending.error : isFinal ? null : ending.value;
    const latencyMs = this.parts.time.now - startedAt;
    const { attempts, waitedMs } = this.leases;
    attempts.push(new AttemptRecord(provider, status, waitedMs, latencyMs, error));
    if (isFinal) {
      this.#unsuitable?.drop();
      if (ending.ok) return { value: ending.value, provider, attempts };
      throw ending.error;
    }
    this.#unsuitable ??= new UnsuitableAnswer();
    this.#unsuitable.afterFailure(ending, provider, status);
    this.leases.afterFailure(context.lease, verdict!);
    this.#unsuitable.cancel(ending);
    return null;
  }

  #timeoutVerdict({ startedAt, provider }: AttemptContext): Verdict {
    const { admission, time } = this.parts;
    const hadMs = time.now - startedAt;
    const callTimeoutMs = time.now >= this.leases.deadline ? this.leases.timeoutMs : null;
    const { latencyMs = null } = admission.selection.registry.providers.get(provider)?.health ?? {};
    return timeoutVerdict({ hadMs, callTimeoutMs, usualMs: latencyMs });
  }
}
