// Classification of the end of an attempt, without knowledge of any vendor. The first rule that matches decides.
//
//   1. An HTTP status of 400 and above: of an error, of its `response`, or of a returned value with `ok === false`. The
//      Retry-After headers are read with it. "insufficient_quota" as code or type: quota_exhausted.
//   2. The name or class of the error: an abort (cancelled, because the caller wanted it) or a time-out.
//   3. The code of the error: a network failure.
//   4. The inner errors, two levels deep: the cause, or the last recognized one of `errors`.
//   5. The class or message of the error: a network failure.
//
// Regimes: everything else is cancelled, because it is a bug of the caller or an error of this package. Class names are
// best effort, because minifiers change them.
// Sources: fetch of Node, Bun and Deno, browsers, the OpenAI and Anthropic clients, axios, got, the AI SDK.

import type { RunDefaults, TaskResult } from "../api/run-options.ts";
import { STATUSES, type StatusClass } from "../api/status-class.ts";
import type { Verdict } from "../api/verdict.ts";
import { GrateLimiterError } from "../errors.ts";
import { SUCCEEDED } from "../observation/parse-settlement.ts";
import { statusClassOfCode } from "../observation/status-code.ts";
import { parseRetryAfter } from "./retry-after.ts";
import { safeGet } from "./safe-get.ts";

/** Current Unix time in milliseconds. */
type EpochNow = () => number;

const MAX_CAUSE_DEPTH = 2;

const ABORT_NAMES = /^(AbortError|APIUserAbortError)$/;
const TIMEOUT_NAMES = /^(TimeoutError|APIConnectionTimeoutError)$/;
const CONNECTION_ERROR_NAMES = /^APIConnectionError$/;
// Whole messages of the TypeError of a fetch that fails without a code; a part of a message proves nothing.
const FETCH_FAILED =
  /^(fetch failed|terminated|Failed to fetch|Load failed|Network connection lost\.|NetworkError when attempting to fetch resource\.)$/;

const SUCCESS: Verdict = { status: "success", settlement: SUCCEEDED, neverConnected: false };
/** Verdict of an attempt that reached its time limit. */
export const TIMEOUT: Verdict = verdictOf("timeout");
const SERVER_ERROR = verdictOf("server_error");
/** Verdict of a result that no rule recognizes; health learns nothing from it. */
export const UNKNOWN: Verdict = verdictOf("cancelled");

const CODES: readonly (readonly [codes: RegExp, verdict: Verdict])[] = [
  [/^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH)$/, verdictOf("server_error", undefined, true)],
  [/^(ECONNRESET|EPIPE|ERR_NETWORK|UND_ERR_SOCKET)$/, SERVER_ERROR],
  [/^UND_ERR_CONNECT_TIMEOUT$/, verdictOf("timeout", undefined, true)],
  [/^(ETIMEDOUT|ESOCKETTIMEDOUT|ECONNABORTED|UND_ERR_(HEADERS|BODY)_TIMEOUT)$/, TIMEOUT],
];

/**
 * Verdict on the result of an attempt, by the rules at the head of this file. `epochNow` (Unix ms) is called only if the
 * result states a date to wait for and no date of its own. Never throws.
 *
 * @experimental
 */
export function classifyResult(result: TaskResult, epochNow: EpochNow): Verdict {
  try {
    if (!result.ok) return verdictOfError(result.error, MAX_CAUSE_DEPTH, epochNow) ?? UNKNOWN;
    const value = result.value as { readonly ok?: unknown } | null | undefined;
    return (value?.ok === false && verdictOfHttp(value, 100, epochNow)) || SUCCESS;
  } catch {
    // Only a hostile object throws while it is read.
    return result.ok ? SUCCESS : UNKNOWN;
  }
}

/**
 * Verdict on the result of an attempt, by the caller's own classifier if it answers. The rules fill in a status and a
 * waiting time that the answer leaves out. Throws what the classifier throws, and TypeError if it returns a promise.
 */
export function classifyBy(classifier: RunDefaults["classify"], result: TaskResult, epochNow: EpochNow): Verdict {
  const defaultVerdict = classifyResult(result, epochNow);
  const answer = classifier?.(result);
  if (answer === undefined || answer === null) return defaultVerdict;
  if (typeof safeGet(answer, "then") === "function") {
    // A later rejection of the promise must not become an unhandled one.
    Promise.resolve(answer).catch(() => {});
    throw new TypeError("classify returned a promise: it must return its answer synchronously");
  }
  const own = typeof answer === "object" ? answer : { status: answer };
  const { status = defaultVerdict.status, retryAfterMs = defaultVerdict.settlement.retryAfterMs } = own;
  const named = typeof status === "number" ? statusClassOfCode(status) : status;
  return {
    status: STATUSES.find((known) => known === named) ?? "cancelled",
    settlement: { ...own, status, retryAfterMs },
    neverConnected: defaultVerdict.neverConnected,
  };
}

function verdictOf(status: StatusClass, retryAfterMs?: number, neverConnected = false): Verdict {
  return { status, settlement: { status, retryAfterMs }, neverConnected };
}

function verdictOfError(error: unknown, depth: number, epochNow: EpochNow): Verdict | undefined {
  if (typeof error !== "object" || error === null || GrateLimiterError.is(error)) return undefined;
  const http = verdictOfHttp(error, 400, epochNow);
  if (http !== undefined) return http;
  const names = namesOf(error);
  const isNamed = (rule: RegExp) => names.some((name) => rule.test(name));
  if (isNamed(ABORT_NAMES)) return UNKNOWN;
  if (isNamed(TIMEOUT_NAMES)) return TIMEOUT;
  const code = String(safeGet(error, "code"));
  const byCode = CODES.find(([codes]) => codes.test(code));
  if (byCode !== undefined) return byCode[1];
  const inner = depth > 0 ? innerErrors(error).map((cause) => verdictOfError(cause, depth - 1, epochNow)) : [];
  const known = inner.filter((verdict) => verdict !== undefined);
  const last = known.at(-1);
  // One try that was sent is enough to have done work.
  if (last !== undefined) return { ...last, neverConnected: known.every(({ neverConnected }) => neverConnected) };
  const isFetchFailure = isNamed(/^TypeError$/) && FETCH_FAILED.test(String(safeGet(error, "message")));
  return isFetchFailure || isNamed(CONNECTION_ERROR_NAMES) ? SERVER_ERROR : undefined;
}

/** Verdict by the HTTP status of a value, an error or its `response`; undefined if it has none from `least` on. */
function verdictOfHttp(from: unknown, least: number, epochNow: EpochNow): Verdict | undefined {
  const response = safeGet(from, "response");
  const statuses = [from, response].flatMap((part) => [safeGet(part, "status"), safeGet(part, "statusCode")]);
  const code = statuses.find((status) => typeof status === "number" && status >= least) as number | undefined;
  const status = code === undefined ? null : statusClassOfCode(code);
  if (status === null) return undefined;
  const bodies = [from, safeGet(from, "error"), safeGet(safeGet(from, "data"), "error")];
  const isSpent = bodies.some((body) => [safeGet(body, "code"), safeGet(body, "type")].includes("insufficient_quota"));
  const headers = safeGet(from, "headers") ?? safeGet(from, "responseHeaders") ?? safeGet(response, "headers");
  return verdictOf(isSpent ? "quota_exhausted" : status, parseRetryAfter(headers, epochNow));
}

function innerErrors(error: object): readonly unknown[] {
  const errors = safeGet(error, "errors");
  return [safeGet(error, "cause"), ...(Array.isArray(errors) ? errors : [])];
}

/** Names of the error and of all its classes, because errors of clients often have just the name "Error". */
function namesOf(error: object): readonly string[] {
  const names = [safeGet(error, "name")];
  for (let type = Object.getPrototypeOf(error); type !== null; type = Object.getPrototypeOf(type)) {
    names.push(safeGet(safeGet(type, "constructor"), "name"));
  }
  return names.map(String);
}
