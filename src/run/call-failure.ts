import type { Attempt } from "../api/attempt.ts";
import { NoAvailableProviders } from "../errors.ts";
import type { Capability } from "../provider/capability.ts";
import type { RequestSpec } from "../selection/request-spec.ts";
import { refusalNow } from "./refusal-reasons.ts";
import type { RunDependencies } from "./run-dependencies.ts";

/**
 * Error of a call that no provider has served. Its refusal is the one of `refused` if there is one, else that of the request
 * as of now. Its cause is the error of the last attempt.
 */
export function callFailure(
  parts: RunDependencies,
  capability: Capability,
  request: RequestSpec,
  kind: NoAvailableProviders["kind"],
  attempts: readonly Attempt[],
  refused?: NoAvailableProviders,
): NoAvailableProviders {
  const last = attempts.at(-1);
  const refusal =
    refused === undefined ? refusalNow(parts, capability, request) : { ...refused, granted: false as const };
  // A copy, because all calls without attempts share one empty list.
  const how = { kind, attempts: [...attempts], ...(last !== undefined && { cause: last.error }) };
  return new NoAvailableProviders(capability.name, refusal, how);
}
