import type { Attempt } from "../api/attempt.ts";
import { NoAvailableProviders } from "../errors.ts";
import { quoted } from "../message-text.ts";
import { safeGet } from "../observation/safe-get.ts";
import type { Capability } from "../provider/capability.ts";
import type { RequestSpec } from "../selection/request-spec.ts";
import { refusalNow } from "./refusal-reasons.ts";
import type { RunDependencies } from "./run-dependencies.ts";

// A provider can answer with a whole page.
const MAX_MESSAGE = 200;

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

/** Status and message of a failure as its provider stated them; empty: it stated none. */
function answerOf(error: unknown): string {
  const places = [error, safeGet(error, "response"), safeGet(error, "$metadata")];
  const codes = places.flatMap((place) =>
    ["status", "statusCode", "httpStatusCode"].map((name) => safeGet(place, name)),
  );
  const status = codes.find((code) => typeof code === "number");
  const text = safeGet(error, "message") || safeGet(error, "statusText");
  const message = typeof text === "string" && text !== "" ? quoted(text.slice(0, MAX_MESSAGE)) : "";
  return typeof status === "number" ? `${status} ${message}`.trimEnd() : message;
}
