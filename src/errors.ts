import type { Attempt } from "./api/attempt.ts";
import type { Problem } from "./api/problem.ts";
import type { Refusal, RefusalReason } from "./api/refusal.ts";
import { listText, refusalText, valueText, wordsOf } from "./message-text.ts";

// `instanceof` fails between two copies of the package (one ESM, one CommonJS); a registered symbol does not.
const brand = Symbol.for("grate-limiter.error");

type ErrorCode =
  | "unknown_capability"
  | "unknown_provider"
  | "no_available_providers"
  | "invalid_config"
  | "closed"
  | "unsupported";

function hasCode(value: unknown, code?: ErrorCode): boolean {
  try {
    const error = value as { readonly [brand]?: unknown; readonly code?: unknown } | null | undefined;
    return error?.[brand] === true && (code === undefined || error.code === code);
  } catch {
    // A revoked proxy, for example.
    return false;
  }
}

/** Base class of all errors of this package. `code` distinguishes them, also across two copies of the package. */
export class GrateLimiterError extends Error {
  // `declare` emits no initializer: the constructor assigns every field.
  declare readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string) {
    super(message);
    this.code = code;
  }

  /** True for an error of this package, also one of another copy. */
  static is(value: unknown): value is GrateLimiterError {
    return hasCode(value);
  }
}
Object.defineProperty(GrateLimiterError.prototype, brand, { value: true });
nameErrors(GrateLimiterError, "GrateLimiterError");

/** Error of a call with the name of an unknown capability. */
export class UnknownCapability extends GrateLimiterError {
  declare readonly code: "unknown_capability";
  declare readonly capability: string;

  constructor(capability: string, hint = "") {
    super("unknown_capability", `unknown capability ${valueText(capability)}${hint}`);
    this.capability = capability;
  }

  static override is(value: unknown): value is UnknownCapability {
    return hasCode(value, "unknown_capability");
  }
}
nameErrors(UnknownCapability, "UnknownCapability");

/** Error of a call with the name of an unknown provider. */
export class UnknownProvider extends GrateLimiterError {
  declare readonly code: "unknown_provider";
  declare readonly provider: string;

  constructor(provider: string, hint = "") {
    super("unknown_provider", `unknown provider ${valueText(provider)}${hint}`);
    this.provider = provider;
  }

  static override is(value: unknown): value is UnknownProvider {
    return hasCode(value, "unknown_provider");
  }
}
nameErrors(UnknownProvider, "UnknownProvider");

/**
 * Error of a request that no provider of its capability can take, with one reason per provider. `retryAfterMs`: earliest known
 * time; null: none is known. `attempts` is empty if the request was never sent; else `cause` is the error of the last one, and
 * the message says its status and text. `kind`:
 * - "refused": no capacity can become available in time; "queue_full": the wait queue is full.
 * - "attempts_failed": no further attempt is allowed, or none can start in time.
 * - "retry_budget": the longest wait ended while the call waited for retry budget.
 * - "timed_out": a time limit or the longest wait ended.
 */
export class NoAvailableProviders extends GrateLimiterError {
  declare readonly code: "no_available_providers";
  declare readonly kind: "refused" | "queue_full" | "attempts_failed" | "retry_budget" | "timed_out";
  declare readonly capability: string;
  declare readonly retryAfterMs: number | null;
  declare readonly retryAfterSeconds: number | null;
  declare readonly reasons: readonly RefusalReason[];
  declare readonly attempts: readonly Attempt[];

  /** Only the limiter passes `how`. */
  constructor(
    capability: string,
    refusal: Refusal,
    how: {
      readonly kind?: NoAvailableProviders["kind"];
      readonly attempts?: readonly Attempt[];
      readonly cause?: unknown;
      /** Status and message of the last failed attempt. */
      readonly answer?: string;
    } = {},
  ) {
    const { kind = "refused", attempts = [], answer = "" } = how;
    super(
      "no_available_providers",
      `no provider available for ${valueText(capability)}: ${explain(kind, refusal.reasons, attempts, answer)}`,
    );
    // As the field of a built-in error.
    if ("cause" in how) Object.defineProperty(this, "cause", { value: how.cause, configurable: true, writable: true });
    this.kind = kind;
    this.attempts = attempts;
    this.capability = capability;
    this.retryAfterMs = refusal.retryAfterMs;
    this.retryAfterSeconds = refusal.retryAfterSeconds;
    this.reasons = refusal.reasons;
  }

  /** Names, statuses and times, without the errors of the attempts and their texts. */
  toJSON(): object {
    const { name, code, kind, capability, retryAfterMs, retryAfterSeconds, reasons } = this;
    const attempts = this.attempts.map(({ provider, status }) => ({ provider, status }));
    return { name, code, kind, capability, retryAfterMs, retryAfterSeconds, reasons, attempts };
  }

  static override is(value: unknown): value is NoAvailableProviders {
    return hasCode(value, "no_available_providers");
  }
}
// Text in a console, without the cause: errors of clients can contain keys.
Object.defineProperty(NoAvailableProviders.prototype, Symbol.for("nodejs.util.inspect.custom"), {
  value(this: NoAvailableProviders): string {
    return `${this.stack} ${JSON.stringify(this)}`;
  },
});
nameErrors(NoAvailableProviders, "NoAvailableProviders");

const PROBLEMS_SHOWN = 20;

function problemsText(lines: readonly string[]): string {
  if (lines.length === 1) return lines[0]!;
  return `${lines.length} problems:\n  ${listText(lines, (line) => line, "\n  ", PROBLEMS_SHOWN)}`;
}

/** Error of a call with invalid arguments. `problems` lists all of them, the message the first 20. The call has changed nothing. */
export class InvalidConfig extends GrateLimiterError {
  declare readonly code: "invalid_config";
  declare readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[], lines: readonly string[]) {
    super("invalid_config", problemsText(lines));
    this.problems = problems;
  }

  static override is(value: unknown): value is InvalidConfig {
    return hasCode(value, "invalid_config");
  }
}
nameErrors(InvalidConfig, "InvalidConfig");

// The name is on the prototype, as for built-in errors: not in JSON, and correct if a minifier renames the class.
function nameErrors(errorClass: { readonly prototype: Error }, name: string): void {
  Object.defineProperty(errorClass.prototype, "name", { value: name, configurable: true, writable: true });
}

function explain(
  kind: NoAvailableProviders["kind"],
  reasons: readonly RefusalReason[],
  attempts: readonly Attempt[],
  answer: string,
): string {
  if (kind === "refused") return refusalText(reasons);
  const made = listText(attempts, ({ provider, status }) => `${valueText(provider)} ${wordsOf(status)}`, ", ");
  const last = answer && ` (last answer: ${answer})`;
  return `${wordsOf(kind)}${made && `: ${made}`}${last}${reasons.length > 0 ? `; ${refusalText(reasons)}` : ""}`;
}
