import type { Admission } from "../admission/admission.ts";
import type { RunDefaults } from "../api/run-options.ts";
import type { EngineTime } from "../clock/engine-time.ts";
import type { Events } from "../events.ts";
import type { Counters } from "../metrics.ts";
import type { RetryBudget } from "./retry-budget.ts";

/** The parts of a limiter that its calls work with. */
export interface RunDependencies {
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
