import type { RunResult, TaskContext } from "../api/attempt.ts";
import type { RunOptions } from "../api/run-options.ts";
import type { Capability } from "../provider/capability.ts";
import type { RequestSpec } from "../selection/request-spec.ts";
import { FailoverLoop } from "./failover-loop.ts";
import { oneAnswer } from "./one-answer.ts";
import type { RunDependencies } from "./run-dependencies.ts";

/**
 * Acquires a lease, calls the task, settles the lease, and fails over to other providers. Rejects with the task's own error
 * after a client error or an unrecognized one, with the signal's reason, with NoAvailableProviders, or with TypeError if the
 * task returns a stream.
 */
export function run<T>(
  parts: RunDependencies,
  capability: Capability,
  task: (context: TaskContext) => T | PromiseLike<T>,
  options: RunOptions,
  request: RequestSpec,
): Promise<RunResult<T>> {
  const call = new FailoverLoop(parts, capability, options, request);
  return call.serve(task, oneAnswer(call));
}
