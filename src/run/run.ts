import type { RunResult, TaskContext } from "../api/attempt.ts";
import type { RunOptions } from "../api/run-options.ts";
import type { Capability } from "../provider/capability.ts";
import type { RequestSpec } from "../selection/request-spec.ts";
import { FailoverLoop } from "./failover-loop.ts";
import type { RunDependencies } from "./run-dependencies.ts";

/**
 * Acquires, calls the task, settles, and fails over while that helps. Rejects with the task's own error where it was the
 * caller's fault or nothing is known of it, with the signal's reason, or with NoAvailableProviders.
 */
export function run<T>(
  parts: RunDependencies,
  capability: Capability,
  task: (context: TaskContext) => T | PromiseLike<T>,
  options: RunOptions,
  request: RequestSpec,
): Promise<RunResult<T>> {
  return new FailoverLoop(parts, capability, options, request).serve(task);
}
