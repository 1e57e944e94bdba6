import type { Attempt } from "../api/attempt.ts";
import { NoAvailableProviders } from "../errors.ts";
import type { Capability } from "../provider/capability.ts";
import type { RequestSpec } from "../selection/request-spec.ts";
import { httpStatusOf } from "./classify.ts";
import { refusalNow } from "./refusal-reasons.ts";
import type { RunDependencies } from "./run-dependencies.ts";
import { safeGet } from "./safe-get.ts";

// An upstream can answer with a whole page.
const LONGEST_MESSAGE = 200;

/** Error of a call that no provider has served, with the refusal as of now. Its cause is the error of the last attempt. */
export function callFailure(
  parts: RunDependencies,
  capability: Capability,
  request: RequestSpec,
  kind: NoAvailableProviders["kind"],
  attempts: readonly Attempt[],
): NoAvailableProviders {
  const last = attempts.at(-1);
  const how = { kind, attempts, ...(last && { cause: last.error, answer: answerOf(last.error) }) };
  return new NoAvailableProviders(capability.name, refusalNow(parts, capability, request), how);
}

/** Status and message of a failure as its provider stated them. */
function answerOf(error: unknown): string {
  const text = safeGet(error, "message") || safeGet(error, "statusText");
  const quoted = text && JSON.stringify(String(text).slice(0, LONGEST_MESSAGE));
  return [httpStatusOf(error, 100), quoted].filter(Boolean).join(" ");
}
