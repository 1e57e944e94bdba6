// What the end of an attempt means, without any knowledge of a vendor; the first rule that knows decides.
//
//   1. An HTTP status: of a returned value with `ok === false`, of an error or of its `response` (400 and above); with it
//      the Retry-After headers, and "insufficient_quota" as code or type: quota_exhausted.
//   2. The error's own name or class says that somebody aborted (unknown: the caller's affair) or that time was up.
//   3. The error's own code says that the network failed.
//   4. What lies under it, two deep: its cause, or the last of its errors that is known.
//   5. Its class or its message says that the network failed.
//
// Everything else is unknown: the caller's bug, or a refusal of this package. Class names are best effort, for minifiers
// change them. Sources: fetch of Node, Bun and Deno, browsers, the OpenAI and Anthropic clients, axios, got, the AI SDK.

import type { Settlement } from "../api/lease.ts";
import type { RunDefaults, TaskResult } from "../api/run-options.ts";
import { STATUSES, type StatusClass } from "../api/status-class.ts";
import type { EngineTime } from "../clock/engine-time.ts";
import { GrateLimiterError } from "../errors.ts";
import { SUCCEEDED } from "../observation/parse-settlement.ts";
import { statusClassOfCode } from "../observation/status-code.ts";
import { retryAfterMs } from "./retry-after.ts";
import { safeGet } from "./safe-get.ts";

/** What the end of an attempt means. */
export interface Verdict {
  /** "cancelled": no rule knows it, or it was given up. */
  readonly status: StatusClass;
  /** What the lease is told. */
  readonly settlement: Settlement;
  /** True if no connection came about, so that the provider certainly did no work. */
  readonly isUnsent: boolean;
}

const CAUSES = 2;

const GIVEN_UP = /^(AbortError|APIUserAbortError)$/;
const TIMED_OUT = /^(TimeoutError|APIConnectionTimeoutError)$/;
const UNCONNECTED = /^APIConnectionError$/;
// What fetch says where it gives no code: the whole message of a TypeError, never a part of one.
const FETCH_FAILED =
  /^(fetch failed|terminated|Failed to fetch|Load failed|Network connection lost\.|NetworkError when attempting to fetch resource\.)$/;

const SUCCESS: Verdict = { status: "success", settlement: SUCCEEDED, isUnsent: false };
/** Time was up. */
export const TIMEOUT: Verdict = verdictOf("timeout");
const SERVER_ERROR = verdictOf("server_error");
/** Nothing is known of it, and nothing is learned. */
export const UNKNOWN: Verdict = verdictOf("cancelled");

const CODES: readonly (readonly [codes: RegExp, verdict: Verdict])[] = [
  [/^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH)$/, verdictOf("server_error", undefined, true)],
  [/^(ECONNRESET|EPIPE|ERR_NETWORK|UND_ERR_SOCKET)$/, SERVER_ERROR],
  [/^UND_ERR_CONNECT_TIMEOUT$/, verdictOf("timeout", undefined, true)],
  [/^(ETIMEDOUT|ESOCKETTIMEDOUT|ECONNABORTED|UND_ERR_(HEADERS|BODY)_TIMEOUT)$/, TIMEOUT],
];

/**
 * Judges an attempt by `judge`, where it says something, else by the rules above; what its settlement leaves out of status
 * and waiting time, the rules fill in. Throws what `judge` throws, and a TypeError where it gives a promise.
 */
export function classify(result: TaskResult, judge: RunDefaults["classify"], time: EngineTime): Verdict {
  const ruled = byRules(result, time);
  const told = judge?.(result);
  if (told === undefined || told === null) return ruled;
  if (typeof safeGet(told, "then") === "function") {
    // Nobody hears of what becomes of it.
    Promise.resolve(told).catch(() => {});
    throw new TypeError("classify gave a promise: it has to answer at once");
  }
  const settlement: Settlement = typeof told === "object" ? told : { status: told };
  const { status = ruled.status, retryAfterMs = ruled.settlement.retryAfterMs } = settlement;
  const named = typeof status === "number" ? statusClassOfCode(status) : status;
  return {
    status: STATUSES.find((known) => known === named) ?? "cancelled",
    settlement: { ...settlement, status, retryAfterMs },
    isUnsent: ruled.isUnsent,
  };
}

function verdictOf(status: StatusClass, retryAfterMs?: number, isUnsent = false): Verdict {
  return { status, settlement: { status, retryAfterMs }, isUnsent };
}

function byRules(result: TaskResult, time: EngineTime): Verdict {
  try {
    if (!result.ok) return verdictOfError(result.error, CAUSES, time) ?? UNKNOWN;
    const value = result.value as { readonly ok?: unknown } | null | undefined;
    return (value?.ok === false && verdictOfHttp(value, 100, time)) || SUCCESS;
  } catch {
    // Nothing but a hostile object comes here.
    return result.ok ? SUCCESS : UNKNOWN;
  }
}

function verdictOfError(error: unknown, causes: number, time: EngineTime): Verdict | undefined {
  if (typeof error !== "object" || error === null || GrateLimiterError.is(error)) return undefined;
  const http = verdictOfHttp(error, 400, time);
  if (http !== undefined) return http;
  const names = namesOf(error);
  const isCalled = (rule: RegExp) => names.some((name) => rule.test(name));
  if (isCalled(GIVEN_UP)) return UNKNOWN;
  if (isCalled(TIMED_OUT)) return TIMEOUT;
  const code = String(safeGet(error, "code"));
  const coded = CODES.find(([codes]) => codes.test(code));
  if (coded !== undefined) return coded[1];
  const inner = causes > 0 ? causesOf(error).map((cause) => verdictOfError(cause, causes - 1, time)) : [];
  const known = inner.filter((verdict) => verdict !== undefined);
  const last = known.at(-1);
  // Of several tries, one that was sent is enough to have done work.
  if (last !== undefined) return { ...last, isUnsent: known.every(({ isUnsent }) => isUnsent) };
  const isFetch = isCalled(/^TypeError$/) && FETCH_FAILED.test(String(safeGet(error, "message")));
  return isFetch || isCalled(UNCONNECTED) ? SERVER_ERROR : undefined;
}

/** By the status code that it or its `response` has, from `least` on. */
function verdictOfHttp(from: unknown, least: number, time: EngineTime): Verdict | undefined {
  const response = safeGet(from, "response");
  const places = [from, response].flatMap((place) => [safeGet(place, "status"), safeGet(place, "statusCode")]);
  const code = places.find((told) => typeof told === "number" && told >= least) as number | undefined;
  const status = code === undefined ? null : statusClassOfCode(code);
  if (status === null) return undefined;
  const body = [from, safeGet(from, "error"), safeGet(safeGet(from, "data"), "error")];
  const isSpent = body.some((part) => [safeGet(part, "code"), safeGet(part, "type")].includes("insufficient_quota"));
  const headers = safeGet(from, "headers") ?? safeGet(from, "responseHeaders") ?? safeGet(response, "headers");
  return verdictOf(isSpent ? "quota_exhausted" : status, retryAfterMs(headers, time));
}

function causesOf(error: object): readonly unknown[] {
  const errors = safeGet(error, "errors");
  return [safeGet(error, "cause"), ...(Array.isArray(errors) ? errors : [])];
}

/** Its name, and those of its classes: what an error of a client calls itself is often just "Error". */
function namesOf(error: object): readonly string[] {
  const names = [safeGet(error, "name")];
  for (let type = Object.getPrototypeOf(error); type !== null; type = Object.getPrototypeOf(type)) {
    names.push(safeGet(safeGet(type, "constructor"), "name"));
  }
  return names.map(String);
}
