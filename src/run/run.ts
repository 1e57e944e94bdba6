import type { Capability } from "../provider/capability.ts";
import type { Request } from "../selection/request.ts";
import { Call } from "./call.ts";
import type { RunOptions } from "./run-options.ts";
import type { RunParts } from "./run-parts.ts";
import type { RunResult } from "./run-result.ts";
import type { TaskContext } from "./task-context.ts";

/**
 * Acquires, calls the task, settles, and fails over while that helps. Rejects with the task's own error where it was the
 * caller's fault or nothing is known of it, with the signal's reason, or with NoAvailableProviders.
 */
export function run<T>(
  parts: RunParts,
  capability: Capability,
  task: (context: TaskContext) => T | PromiseLike<T>,
  options: RunOptions,
  request: Request,
): Promise<RunResult<T>> {
  return new Call(parts, capability, options, request).serve(task);
}
