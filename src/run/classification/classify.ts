// Classification of the end of an attempt, without knowledge of any vendor. The first rule that matches decides.
//
//   1. A status from 400: of an error, or of a returned value with `ok === false` or with headers, wherever clients put it.
//      What the bodies say refines it: codes, types, a few phrases. The waits are read with it.
//   2. The code of gRPC. The name or code of the error: an abort (cancelled, because the caller wanted it), a time-out, a broken connection.
//   3. Its words without a status, as in the first event of a stream.
//   4. The inner errors: the last recognized one.
//   5. The name of a wrapper, or the message of a `fetch` that failed.
//
//   403 with nothing remaining, or with a wait            rate_limited
//   another 4xx with a wait, or should-retry: true        overloaded
//   should-retry: false                                   not repeated on the same provider
//
// Regimes: everything else is not recognized, which is "cancelled": a mistake of the program, or an error of this package.
// A 401 counts on the outermost error only, because an application's own "not signed in" says nothing about a key.
// Sources: fetch of Node, Bun and Deno, browsers, the SDKs of providers, axios, got, ky, superagent, undici, gRPC.

import type { RunDefaults, TaskResult } from "../../api/run-options.ts";
import { STATUSES, type StatusClass } from "../../api/status-class.ts";
import type { Usage } from "../../api/usage.ts";
import type { Verdict } from "../../api/verdict.ts";
import { GrateLimiterError } from "../../errors.ts";
import { SUCCEEDED } from "../../observation/parse-settlement.ts";
import { safeGet } from "../../observation/safe-get.ts";
import { statusClassOfCode } from "../../observation/status-code.ts";
import { type BrokenConnection, brokenByMessage, brokenByName } from "./broken-connection.ts";
import { classOfWords, refinedClass } from "./error-words.ts";
import { type Bodies, ForeignReader } from "./foreign-object.ts";
import { Waits } from "./waits.ts";

/** Current Unix time in milliseconds. */
type EpochNow = () => number;

const SUCCESS: Verdict = verdictOf("success", undefined, { settlement: SUCCEEDED });
/** Verdict of an attempt that reached its time limit. */
export const TIMEOUT: Verdict = verdictOf("timeout");
/** Verdict of an attempt that the caller ended; health learns nothing from it. */
export const UNKNOWN: Verdict = verdictOf("cancelled");
const UNRECOGNIZED: Verdict = verdictOf("cancelled", undefined, { isRecognized: false });

const BROKEN: { readonly [failure in BrokenConnection]: Verdict } = {
  abort: UNKNOWN,
  timeout: TIMEOUT,
  "unsent timeout": verdictOf("timeout", undefined, { neverConnected: true }),
  unsent: verdictOf("server_error", undefined, { neverConnected: true }),
  broken: verdictOf("server_error"),
};

const STATUS_FIELDS: readonly string[] = ["status", "statusCode", "status_code", "httpStatus", "httpStatusCode"];
const SHOULD_RETRY: readonly string[] = ["x-should-retry", "stripe-should-retry"];
const GRPC: { readonly [code: number]: Verdict } = {
  1: UNKNOWN,
  4: TIMEOUT,
  3: verdictOf("client_error"),
  5: verdictOf("client_error"),
  7: verdictOf("forbidden"),
  8: verdictOf("rate_limited"),
  13: verdictOf("server_error"),
  14: verdictOf("overloaded"),
  16: verdictOf("unauthorized"),
};
/** Classes for which a wait in a body or a reset says when to come back. */
const LIMITED: readonly StatusClass[] = ["rate_limited", "overloaded"];
/** Classes of a 4xx that "should-retry: true" turns into a request to come back. */
const REPEATED: readonly StatusClass[] = ["client_error", "unsuitable", "unauthorized", "forbidden"];

/**
 * Verdict on the result of an attempt, by the rules at the head of this file. `epochNow` (Unix ms) is called only if the
 * result states a date to wait for and no date of its own. `needs` returns the amounts of the request. Never throws.
 *
 * @experimental
 */
export function classifyResult(result: TaskResult, epochNow: EpochNow, needs?: () => Usage): Verdict {
  try {
    const rules = new Rules(epochNow, needs);
    if (!result.ok) return rules.ofError(result.error, true) ?? UNRECOGNIZED;
    return rules.ofValue(result.value) ?? SUCCESS;
  } catch {
    // Only an object that breaks the rules of the language gets here.
    return UNRECOGNIZED;
  }
}

/**
 * Verdict on the result of an attempt, by the caller's own classifier if it answers. The rules fill in a status and a
 * waiting time that the answer leaves out. Throws what the classifier throws, and TypeError if it returns a promise.
 */
export function classifyBy(
  classifier: RunDefaults["classify"],
  result: TaskResult,
  epochNow: EpochNow,
  needs?: () => Usage,
): Verdict {
  const defaultVerdict = classifyResult(result, epochNow, needs);
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
    ...defaultVerdict,
    status: STATUSES.find((known) => known === named) ?? "cancelled",
    settlement: { ...own, status, retryAfterMs },
    isRecognized: defaultVerdict.isRecognized || own.status !== undefined,
  };
}

/** Verdict on the first chunk of a stream, if it is an error event of a provider; undefined: it is a chunk. */
export function classifyEvent(chunk: unknown, epochNow: EpochNow): Verdict | undefined {
  const error = safeGet(chunk, "error");
  const isEvent = safeGet(chunk, "type") === "error" || (typeof error === "object" && error !== null);
  return isEvent ? new Rules(epochNow).ofWords(chunk as object, true) : undefined;
}

function verdictOf(status: StatusClass, retryAfterMs?: number, more: Partial<Verdict> = {}): Verdict {
  const settlement = { status, retryAfterMs };
  return { status, settlement, neverConnected: false, isRecognized: true, isRepeatable: true, ...more };
}

/** Applies the rules to one result. */
class Rules {
  readonly #reader = new ForeignReader();
  readonly #epochNow: EpochNow;
  readonly #needs: (() => Usage) | undefined;

  constructor(epochNow: EpochNow, needs?: () => Usage) {
    this.#epochNow = epochNow;
    this.#needs = needs;
  }

  /** Verdict on a returned value; undefined: it is no failure. */
  ofValue(value: unknown): Verdict | undefined {
    if (typeof value !== "object" || value === null) return undefined;
    for (const answer of [value, this.#reader.get(value, "response")]) {
      const isRefusal = this.#reader.get(answer, "ok") === false;
      const hasHeaders = isRefusal || typeof (this.#reader.get(answer, "headers") ?? undefined) === "object";
      const status = hasHeaders ? this.#statusIn([answer as object], isRefusal ? 100 : 400) : undefined;
      if (status !== undefined) return this.#ofStatus(value, status, true);
      // Slack answers 200 with `ok: false`.
      if (isRefusal) return this.ofWords(answer as object, true) ?? UNRECOGNIZED;
    }
    // GraphQL answers 200 with `errors`.
    const first = this.#reader.get(this.#reader.get(value, "errors"), "0");
    return typeof first === "object" && first !== null ? this.#ofGraph(value, first) : undefined;
  }

  #ofGraph(value: object, error: object): Verdict | undefined {
    const { words } = this.#reader.bodiesIn(error);
    const status = classOfWords(words);
    if (status !== "rate_limited" && status !== "unsuitable") return undefined;
    return verdictOf(status, status === "unsuitable" ? undefined : this.#refillMs(value));
  }

  /** Shopify: time until the bucket of points holds the cost of the query. */
  #refillMs(value: object): number | undefined {
    const cost = this.#reader.get(this.#reader.get(value, "extensions"), "cost");
    const bucket = this.#reader.get(cost, "throttleStatus");
    const needed =
      Number(this.#reader.get(cost, "requestedQueryCost")) - Number(this.#reader.get(bucket, "currentlyAvailable"));
    const ms = (needed / Number(this.#reader.get(bucket, "restoreRate"))) * 1_000;
    return ms >= 0 && ms < Infinity ? Math.ceil(ms) : undefined;
  }

  /** Verdict on an error; undefined: no rule recognizes it. */
  ofError(error: unknown, isOutermost: boolean): Verdict | undefined {
    const isObject = typeof error === "object" && error !== null;
    if (!isObject || !this.#reader.takeError()) return undefined;
    if (isOwn(error)) return isOutermost ? UNKNOWN : undefined;
    const answers = this.#reader.answersIn(error);
    const status = this.#statusIn(answers, 400) ?? this.#codeIn(error, answers);
    if (status !== undefined) {
      // Octokit calls a broken connection 500.
      const cause =
        status === 500 && answers.length === 1 ? this.ofError(this.#reader.get(error, "cause"), false) : undefined;
      return cause ?? this.#ofStatus(error, status, isOutermost);
    }
    const code = this.#reader.get(error, "code");
    const isGrpc = typeof code === "number" && typeof this.#reader.get(error, "details") === "string";
    if (isGrpc && GRPC[code] !== undefined && (isOutermost || code !== 16))
      return this.#waiting(error, GRPC[code], this.#reader.bodiesIn(error));
    const names = this.#reader.namesOf(error);
    const failure = brokenByName(error, names, this.#reader);
    if (failure !== undefined) return BROKEN[failure];
    const words = this.ofWords(error, isOutermost, names);
    if (words !== undefined) return words;
    const inner = this.#reader.innerErrors(error).map((cause) => this.ofError(cause, false));
    const known = inner.filter((verdict) => verdict !== undefined);
    const last = known.at(-1);
    // One try that was sent is enough to have done work.
    if (last !== undefined) return { ...last, neverConnected: known.every(({ neverConnected }) => neverConnected) };
    const wrapped = brokenByMessage(error, names, this.#reader);
    return wrapped && BROKEN[wrapped];
  }

  /** Verdict by the words of an error or event without a status. */
  ofWords(from: object, isOutermost: boolean, names: readonly string[] = []): Verdict | undefined {
    const bodies = this.#reader.bodiesIn(from);
    const isThrottling = this.#reader.get(this.#reader.get(from, "$retryable"), "throttling") === true;
    const isLimiter =
      names.some((name) => name.startsWith("RateLimit")) &&
      new Waits(this.#reader, [], this.#epochNow).field([from]) !== undefined;
    const status = isThrottling || isLimiter ? "rate_limited" : classOfWords([...names, ...bodies.words]);
    if (status === undefined || (status === "unauthorized" && !isOutermost)) return undefined;
    return this.#waiting(from, verdictOf(status), bodies);
  }

  #waiting(from: object, verdict: Verdict, bodies: Bodies): Verdict {
    const waits = this.#waitsOf(from);
    const ms =
      waits.header() ?? waits.field([from]) ?? (LIMITED.includes(verdict.status) ? waits.hint(bodies) : undefined);
    return ms === undefined ? verdict : verdictOf(verdict.status, ms);
  }

  #waitsOf(from: object): Waits {
    return new Waits(this.#reader, this.#reader.headersIn(this.#reader.answersIn(from)), this.#epochNow);
  }

  /** HTTP status in one of these objects. Other numbers are passed over. */
  #statusIn(answers: readonly object[], least: number): number | undefined {
    for (const answer of answers) {
      for (const field of STATUS_FIELDS) {
        const status = this.#reader.get(answer, field);
        if (typeof status === "number" && status >= least && statusClassOfCode(status) !== null) return status;
      }
    }
    return undefined;
  }

  /** HTTP status that is called a code, as a number or a text. */
  #codeIn(error: object, answers: readonly object[]): number | undefined {
    const inner = this.#reader.get(error, "error");
    for (const from of [...answers, inner, this.#reader.get(inner, "error")]) {
      const code = this.#reader.get(from, "code");
      if (typeof code === "number" ? Number.isInteger(code) : typeof code === "string" && /^\d{3}$/.test(code)) {
        if (Number(code) >= 400 && Number(code) <= 599) return Number(code);
      }
    }
    return undefined;
  }

  #ofStatus(from: object, code: number, isOutermost: boolean): Verdict | undefined {
    const byStatus = statusClassOfCode(code)!;
    // A redirect or an opaque answer is no success, and no failure of the provider.
    if (byStatus === "success") return verdictOf("client_error");
    const waits = this.#waitsOf(from);
    const bodies = this.#reader.bodiesIn(from);
    const type = waits.read("x-amzn-errortype");
    if (type !== undefined) (bodies.words as string[]).push(type);
    const statedMs = waits.header() ?? waits.field([from, this.#reader.get(from, "response")]);
    const shouldRetry = SHOULD_RETRY.map((name) => waits.read(name)).find((text) => text !== undefined);
    let status = refinedClass(byStatus, bodies);
    if (status === "rate_limited" && waits.isShut) status = "forbidden";
    else if (status === "forbidden" && (statedMs !== undefined || waits.isSpent)) status = "rate_limited";
    const isNamed = status !== byStatus;
    const asksAgain =
      statedMs !== undefined &&
      (status === "client_error" || (status === "unsuitable" && classOfWords(bodies.words) === undefined));
    if (code < 500 && (asksAgain || (shouldRetry === "true" && REPEATED.includes(status))) && !isNamed)
      status = "overloaded";
    if (status === "unauthorized" && !isOutermost) return undefined;
    let retryAfterMs = statedMs;
    if (LIMITED.includes(status)) {
      // 0 states no wait.
      retryAfterMs = retryAfterMs || (waits.hint(bodies) ?? waits.reset(this.#tokens) ?? retryAfterMs);
      const renewalMs = waits.renewalMs;
      if (renewalMs !== undefined) retryAfterMs = Math.max(retryAfterMs ?? 0, renewalMs);
    }
    if (status === "quota_exhausted") {
      retryAfterMs ??= waits.regained(bodies);
      // A limit per day has a reset.
      if (byStatus === "rate_limited") retryAfterMs ??= waits.reset(this.#tokens);
    }
    return verdictOf(status, retryAfterMs, { isRepeatable: shouldRetry !== "false" });
  }

  get #tokens(): { readonly tokens?: number | undefined } {
    const { tokens, inputTokens, outputTokens } = this.#needs?.() ?? {};
    const sum = (inputTokens ?? 0) + (outputTokens ?? 0);
    return { tokens: tokens ?? (sum > 0 ? sum : undefined) };
  }
}

/** True for an error of this package. */
function isOwn(error: object): boolean {
  try {
    return GrateLimiterError.is(error);
  } catch {
    return false;
  }
}
