import type { Attempt } from "./attempt.ts";

/** What `run` gives: the task's own value, who served it, and everything that was tried, the last one included. */
export interface RunResult<T, P extends string = string> {
  readonly value: T;
  readonly provider: P;
  readonly attempts: readonly Attempt<P>[];
}
