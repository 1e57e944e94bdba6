import { DIMENSIONS } from "../api/dimension.ts";
import { EVENT_NAMES } from "../api/events.ts";
import type { HealthOptions } from "../api/options.ts";
import { LIMIT_NAMES } from "../api/provider-config.ts";
import { USAGE_FIELDS } from "../api/usage.ts";
import { Window } from "../api/window.ts";
import { isZone } from "../clock/calendar.ts";
import {
  allowed,
  anyFunction,
  checkOf,
  each,
  listOf,
  name,
  nothing,
  nullOr,
  numberFrom,
  objectOf,
  oneOf,
  positiveNumber,
  recordOf,
  type Shape,
  trueOrFalse,
  wholeNumber,
} from "./check.ts";
import { type Check, isRecord, Problems } from "./problems.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** Declared names, as a Map or Set. */
interface Names {
  has(name: string): boolean;
}

const fromZero = numberFrom(0);
const share = numberFrom(0, 1);
const fromZeroToInfinity = allowed("a number >= 0 or Infinity", (value) => typeof value === "number" && value >= 0);

const zone = allowed("an IANA time zone", (value) => typeof value === "string" && isZone(value));
const calendar = objectOf({ calendar: oneOf(["day", "week", "month"]), timeZone: zone }, "calendar");
// From one millisecond to the largest number of milliseconds that a double counts exactly.
const rolling = objectOf({ seconds: numberFrom(0.001, Number.MAX_SAFE_INTEGER / 1_000) }, "seconds");
const NAMES: readonly string[] = Object.values(Window);
const namedWindow = oneOf(NAMES);
const anyWindow = allowed("second, minute, hour, day, { seconds } or { calendar }", (value) => NAMES.includes(value));
const WINDOWS = { seconds: rolling, calendar };

const window: Check = (value, problems) => {
  const kind = !isRecord(value) ? "named" : value["calendar"] === undefined ? "seconds" : "calendar";
  const { windows } = problems.vocabulary!;
  const named = windows.length > 1 ? anyWindow : namedWindow;
  (windows.includes(kind) && kind !== "named" ? WINDOWS[kind] : named)(value, problems);
};

const quotaShape = objectOf(
  {
    dimension: (value, problems) => oneOf(problems.vocabulary!.dimensions)(value, problems),
    limit: fromZero,
    window,
    strategy: oneOf(["sliding_window", "token_bucket", "fixed_window"]),
    burst: fromZero,
    resetEpochMs: numberFrom(-8.64e15, 8.64e15),
    countsAtEnd: trueOrFalse,
  },
  "dimension",
  "limit",
);

/** Checks the fields of a quota one by one, then their combination. */
const quota: Check = (value, problems) => {
  quotaShape(value, problems);
  if (!isRecord(value)) return;
  const refuse = (why: string, ...keys: readonly string[]) => {
    for (const key of keys) if (value[key] !== undefined) problems.at(key, nothing(why), value[key]);
  };
  const { dimension, window, strategy } = value;
  if (dimension === "concurrency") {
    return refuse("concurrency has no window", "strategy", "burst", "resetEpochMs", "countsAtEnd");
  }
  if (window === undefined && problems.vocabulary!.windowByDefault === null) problems.at("window", anyWindow, window);
  if (isRecord(window) && window["calendar"] !== undefined) {
    return refuse("a calendar resets by itself", "strategy", "burst", "resetEpochMs");
  }
  if (strategy !== "token_bucket") refuse("only a token_bucket has a burst", "burst");
  if (strategy !== "fixed_window") refuse("only a fixed_window has a reset", "resetEpochMs");
};

const limits = each(LIMIT_NAMES, fromZero);
const draws = { limits: objectOf(limits), quotas: listOf(quota) };

const providerShape = {
  ...draws,
  ...each(["priority", "weight", "cooldownSeconds"], fromZero),
  pools: listOf(name),
  price: objectOf(each(["usdPerRequest", "usdPerMillionInputTokens", "usdPerMillionOutputTokens"], fromZero)),
  paused: trueOrFalse,
};
export const provider: Check = objectOf({ name, ...providerShape }, "name");

const listedObject = objectOf({ provider: name, priority: fromZero }, "provider");
const listedName = allowed(
  "a provider's name or { provider, priority }",
  (value) => typeof value === "string" && value !== "",
);
const listed = listOf((value, problems) => (isRecord(value) ? listedObject : listedName)(value, problems));

export const weights: Check = objectOf(each(["quota", "health", "priority", "latency"], fromZero));

export const strategy: Check = allowed(
  "an object with a score method",
  (value) => isRecord(value) && typeof value["score"] === "function",
);

const positiveWhole = allowed("a whole number >= 1", (value) => Number.isSafeInteger(value) && value >= 1);
const positiveWholeToInfinity = allowed(
  "a whole number >= 1 or Infinity",
  (value) => value === Infinity || (Number.isSafeInteger(value) && value >= 1),
);
const retryBudget = objectOf(each(["ratio", "perMinute"], fromZeroToInfinity));
const waits: Shape = {
  maxWaitMs: fromZeroToInfinity,
  timeoutMs: positiveNumber,
  attemptTimeoutMs: positiveNumber,
  maxAttempts: positiveWholeToInfinity,
  idempotent: trueOrFalse,
  classify: anyFunction,
};

const healthShape: { readonly [K in keyof HealthOptions]-?: Check } = {
  decayHalfLifeSeconds: fromZero,
  penalty429: fromZero,
  penalty403: fromZero,
  penalty5xx: fromZero,
  penaltyTimeout: fromZero,
  boostSuccess: fromZero,
  cooldownTriggerCount: wholeNumber,
  cooldownMultiplier: fromZero,
  maxCooldownSeconds: fromZero,
  recoveredHealth: share,
  ewmaAlpha: share,
  cooldownThreshold: share,
};

const optionsShape: Shape = {
  providers: listOf(provider),
  capabilities: recordOf(listed),
  pools: recordOf(objectOf(draws)),
  scoring: (value, problems) => {
    if (!isRecord(value) || value["score"] === undefined) weights(value, problems);
    else strategy(value, problems);
  },
  health: objectOf(healthShape),
  minimumHealthScore: share,
  defaultCooldownSeconds: fromZero,
  spread: oneOf(["score", "headroom"]),
  leaseTimeoutMs: positiveNumber,
  skewCapMs: fromZeroToInfinity,
  maxWaiting: wholeNumber,
  retryBudget: (value, problems) => {
    if (value !== false) retryBudget(value, problems);
  },
  defaults: objectOf(waits),
  clock: allowed("an object with a now method", (value) => isRecord(value) && typeof value["now"] === "function"),
  random: anyFunction,
};

const needs: Shape = {
  ...each([...USAGE_FIELDS, "maxOutputTokens"], numberFrom(0, Number.MAX_SAFE_INTEGER)),
  ...each(["only", "exclude"], listOf(name)),
};
const acquires: Shape = {
  ...needs,
  maxWaitMs: fromZeroToInfinity,
  priority: numberFrom(-Number.MAX_VALUE),
  leaseTimeoutMs: positiveNumber,
  signal: allowed(
    "an AbortSignal",
    (value) => typeof value === "object" && value !== null && typeof value["addEventListener"] === "function",
  ),
};
const runs: Shape = { ...acquires, ...waits };

/** Check of the options of a limiter; `profiles` are the names of the known profiles. */
export function optionsFor(profiles: readonly string[]): Check {
  const shape = objectOf({ ...optionsShape, profile: oneOf(profiles) });
  return (value, problems) => {
    shape(value, problems);
    if (isRecord(value)) checkProviders(value, problems);
  };
}

// Checks of the arguments of the other public methods.
export const patch: Check = objectOf({ ...providerShape, limits: objectOf(each(LIMIT_NAMES, nullOr(fromZero))) });
const poolShape = objectOf({ name, ...draws }, "name");
/** A profile without pools rejects it under the name of the option `pools`. */
export const pool: Check = (value, problems) => checkOf({ pools: poolShape }, "pools", problems)(value, problems);
export const capability: Check = objectOf({ name, providers: listed }, "name", "providers");
export const select: Check = objectOf(needs);
export const acquire: Check = objectOf(acquires);
export const run: Check = objectOf(runs);
export const stream: Check = objectOf({ ...runs, chunkTimeoutMs: positiveNumber });
export const map: Check = objectOf({ ...runs, needs: anyFunction, concurrency: positiveWhole });
export const task: Check = objectOf({ task: anyFunction }, "task");
export const batch: Check = objectOf({ items: allowed("an iterable", isIterable), task: anyFunction }, "items", "task");
export const query: Check = objectOf({ dimension: oneOf(DIMENSIONS), window });
export const listener: Check = objectOf({ event: oneOf(EVENT_NAMES), listener: anyFunction }, "event", "listener");

/** Throws InvalidConfig with every problem of `value`. `pools` are the pools that it can name. */
export function validate(check: Check, value: unknown, vocabulary?: Vocabulary, pools?: Names): void {
  const problems = new Problems(vocabulary);
  check(value, problems);
  if (pools !== undefined && isRecord(value)) checkPools(value, pools, problems);
  problems.throwIfAny();
}

/** Checks that the providers of one declaration have different names and declared pools. */
function checkProviders(options: { readonly [key: string]: unknown }, problems: Problems): void {
  const declared = new Set(isRecord(options["pools"]) ? Object.keys(options["pools"]) : []);
  const names = new Set<unknown>();
  const own = allowed("a name of its own", (value) => !names.has(value) && names.add(value) !== undefined);
  const provider: Check = (value) => {
    if (!isRecord(value)) return;
    problems.at("name", own, value["name"]);
    checkPools(value, declared, problems);
  };
  if (Array.isArray(options["providers"])) problems.at("providers", listOf(provider), options["providers"]);
}

function checkPools(provider: { readonly [key: string]: unknown }, known: Names, problems: Problems): void {
  const declared = allowed("a declared pool", (value) => typeof value !== "string" || known.has(value));
  if (Array.isArray(provider["pools"])) problems.at("pools", listOf(declared), provider["pools"]);
}

function isIterable(value: unknown): boolean {
  if (typeof value === "string") return true;
  return typeof value === "object" && value !== null && (Symbol.iterator in value || Symbol.asyncIterator in value);
}
