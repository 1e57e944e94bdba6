import type { Admission } from "../admission/admission.ts";
import type { RunDefaults } from "../api/run-options.ts";
import type { EngineTime } from "../clock/engine-time.ts";

/** Parts of a limiter that `run`, `stream` and `map` use. */
export interface RunDependencies {
  readonly admission: Admission;
  readonly time: EngineTime;
  readonly defaults: RunDefaults;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly leaseTimeoutMs: number;
  /** Capacity of the wait queue. */
  readonly maxWaiting: number;
}

/** An AbortSignal with the members that this package reads; the type names no runtime's library. */
export type Signal = AbortSignal & { readonly aborted: boolean; readonly reason: unknown };
