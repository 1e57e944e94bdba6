import type { AttemptContext } from "./attempt-context.ts";
import { cancelBody } from "./cancel-body.ts";
import type { Signal } from "./run-dependencies.ts";
import { timeoutError } from "./timeout-error.ts";

/** Work of one attempt. */
export type Task<T> = (context: AttemptContext) => T | PromiseLike<T>;

/** A call that can end before its task does. */
interface Limits {
  readonly signal: Signal | undefined;
  /** Instant at which the whole call times out. */
  readonly deadline: number;
  watch(atMs: number, act: () => void): () => void;
}

/**
 * Runs the task until it settles, the signal aborts, or `atMs` comes. In the last two cases it aborts the attempt and rejects
 * immediately; the lease keeps its place until the task has ended.
 */
export function runTask<T>(task: Task<T>, context: AttemptContext, limits: Limits, atMs: number): T | PromiseLike<T> {
  const { signal } = limits;
  if (signal === undefined && atMs === Infinity) return task(context);
  const { lease } = context;
  return new Promise((resolve, reject) => {
    const cancel = limits.watch(atMs, () => {
      const reason = signal?.aborted
        ? signal.reason
        : timeoutError(
            "the attempt",
            atMs - context.startedAt,
            limits.deadline > atMs ? "attemptTimeoutMs" : "timeoutMs",
          );
      lease.abandonTask();
      reject(reason);
      context.abort(reason);
    });
    const ended =
      <V>(settle: (value: V) => void) =>
      (value: V) => {
        cancel();
        if (context.isAborted) cancelBody(value);
        settle(value);
        if (context.isAborted) lease.endTask();
      };
    (async () => task(context))().then(ended(resolve), ended(reject));
  });
}
