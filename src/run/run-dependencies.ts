import type { Admission } from "../admission/admission.ts";
import type { RunDefaults } from "../api/run-options.ts";
import type { EngineTime } from "../clock/engine-time.ts";
import type { Events } from "../events.ts";
import type { Counters } from "../metrics.ts";
import type { TargetOf } from "./retry-policy.ts";

/** Parts of a limiter that `run`, `stream` and `map` use. */
export interface RunDependencies {
  readonly admission: Admission;
  readonly time: EngineTime;
  readonly counters: Counters;
  readonly events: Events;
  readonly defaults: RunDefaults;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Facts about a provider that retries depend on. */
  readonly targets: TargetOf;
  readonly leaseTimeoutMs: number;
  /** Capacity of the wait queue. */
  readonly maxWaiting: number;
}

/** An AbortSignal with the members that this package reads; the type names no runtime's library. */
export type Signal = AbortSignal & { readonly aborted: boolean; readonly reason: unknown };
