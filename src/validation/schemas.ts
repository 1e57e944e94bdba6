import { DIALECT_NAMES } from "../api/dialect-name.ts";
import { DIMENSIONS } from "../api/dimension.ts";
import { EVENT_NAMES } from "../api/events.ts";
import type { HealthOptions } from "../api/options.ts";
import { LIMIT_NAMES } from "../api/provider-config.ts";
import { USAGE_FIELDS } from "../api/usage.ts";
import { Window } from "../api/window.ts";
import { isZone } from "../clock/calendar.ts";
import { valueText } from "../message-text.ts";
import {
  allowed,
  anyFunction,
  anything,
  checkOf,
  each,
  listOf,
  name,
  nameOf,
  nothing,
  nullOr,
  numberFrom,
  objectOf,
  objectWith,
  oneOf,
  positiveNumber,
  recordOf,
  type Shape,
  trueOrFalse,
  wholeNumberFrom,
} from "./check.ts";
import { type Check, isRecord, meantOf, type Names, Problems } from "./problems.ts";
import { snapshot } from "./snapshot-schema.ts";
import type { Vocabulary } from "./vocabulary.ts";

const fromZero = numberFrom(0);
const share = numberFrom(0, 1);
const fromZeroToInfinity = allowed("a number >= 0 or Infinity", (value) => typeof value === "number" && value >= 0);

const zone = allowed('an IANA time zone such as "UTC"', (value) => typeof value === "string" && isZone(value));
const calendar = objectOf({ calendar: oneOf(["day", "week", "month"]), timeZone: zone }, "calendar");
// From one millisecond to the largest number of milliseconds that a double counts exactly.
const rolling = objectOf({ seconds: numberFrom(0.001, Number.MAX_SAFE_INTEGER / 1_000) }, "seconds");
const NAMES: readonly string[] = Object.values(Window);
const namedWindow = oneOf(NAMES);
const anyWindow = oneOf(NAMES, `one of ${NAMES.join(", ")}, { seconds } or { calendar }`);
const WINDOWS = { seconds: rolling, calendar };

const window: Check = (value, problems) => {
  const kind = !isRecord(value) ? "named" : value["calendar"] === undefined ? "seconds" : "calendar";
  const { windows } = problems.vocabulary!;
  const named = windows.length > 1 ? anyWindow : namedWindow;
  (windows.includes(kind) && kind !== "named" ? WINDOWS[kind] : named)(value, problems);
};

const unixMs = allowed("a Unix time in ms", (value) => typeof value === "number" && Math.abs(value) <= 8.64e15);

const quotaShape = objectOf(
  {
    dimension: (value, problems) => oneOf(problems.vocabulary!.dimensions)(value, problems),
    limit: fromZero,
    window,
    strategy: oneOf(["sliding_window", "token_bucket", "fixed_window"]),
    burst: fromZero,
    resetEpochMs: unixMs,
    countsAtEnd: trueOrFalse,
    cachedInput: oneOf(["included", "excluded"]),
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
  if (dimension !== "tokens" && dimension !== "input_tokens") {
    refuse('unless dimension is "tokens" or "input_tokens"', "cachedInput");
  }
  if (dimension === "concurrency") {
    return refuse("for concurrency, which has no window", "strategy", "burst", "resetEpochMs", "countsAtEnd");
  }
  if (window === undefined && problems.vocabulary!.windowByDefault === null) problems.at("window", anyWindow, window);
  if (isRecord(window) && window["calendar"] !== undefined) {
    return refuse("for a calendar window, which resets by itself", "strategy", "burst", "resetEpochMs");
  }
  if (strategy !== "token_bucket") refuse('unless strategy is "token_bucket"', "burst");
  if (strategy !== "fixed_window") refuse('unless strategy is "fixed_window"', "resetEpochMs");
};

const limits = each(LIMIT_NAMES, fromZero);
const draws = { limits: objectOf(limits), quotas: listOf(quota) };

const keyLimits = { ...limits, quotas: listOf(quota) };

const declaredPool: Check = (value, problems) => {
  name(value, problems);
  const { pools } = problems;
  if (pools?.has(value as string) !== false) return;
  problems.add("a declared pool", value, `unknown pool ${valueText(value)}${meantOf(value, pools.keys())}`);
};

const statedLimits = objectOf(limits);
const limitsOrHeaders: Check = (value, problems) => {
  const { without, why } = problems.vocabulary!;
  if (typeof value !== "string") statedLimits(value, problems);
  else if (value !== "headers") problems.add('an object or "headers"', value);
  else if (without.includes("reported")) nothing(why)(value, problems);
};

const providerShape = {
  ...draws,
  limits: limitsOrHeaders,
  ...each(["priority", "weight", "cooldownSeconds"], fromZero),
  pools: listOf(declaredPool),
  price: objectOf(each(["usdPerRequest", "usdPerMillionInputTokens", "usdPerMillionOutputTokens"], fromZero)),
  paused: trueOrFalse,
  pausedUntil: unixMs,
};

const uniqueName: Check = (value, problems) => {
  name(value, problems);
  problems.names ??= new Set();
  const { names } = problems;
  if (names.has(value)) problems.add("a unique name", value, `duplicate provider name ${valueText(value)}; rename one`);
  names.add(value);
};

export const provider: Check = objectOf({ name: uniqueName, ...providerShape, dialect: oneOf(DIALECT_NAMES) }, "name");

const listedObject = objectOf({ provider: name, priority: fromZero }, "provider");
const listedName = nameOf("a provider's name or { provider, priority }");
const listed = listOf((value, problems) => (isRecord(value) ? listedObject : listedName)(value, problems));

export const weights: Check = objectOf(each(["quota", "health", "priority", "latency"], fromZero));

export const strategy: Check = objectWith("score");

const wholeNumber = wholeNumberFrom(0);
const positiveWhole = wholeNumberFrom(1);
const attempts = allowed(
  "a whole number >= 1 or Infinity",
  (value) => value === Infinity || (Number.isSafeInteger(value) && value >= 1),
);
const retryBudget = objectOf(each(["ratio", "perMinute"], fromZeroToInfinity));
const waits: Shape = {
  maxWaitMs: fromZeroToInfinity,
  timeoutMs: positiveNumber,
  attemptTimeoutMs: positiveNumber,
  maxAttempts: attempts,
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
  recheckDeadAfterMs: fromZeroToInfinity,
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
  maxWaitingPerKey: wholeNumber,
  keyLimits: objectOf({ ...keyLimits, capabilities: recordOf(objectOf(keyLimits)) }),
  retryBudget: (value, problems) => {
    if (value !== false) retryBudget(value, problems);
  },
  store: objectWith("connect", "a store such as redisStore(client)"),
  whenStoreIsDown: oneOf(["share", "wait"]),
  aheadMs: numberFrom(0, 60_000),
  processTtlMs: numberFrom(1_000, 3_600_000),
  defaults: objectOf(waits),
  clock: objectWith("now"),
  random: anyFunction,
  snapshot,
};

const needs: Shape = {
  ...each([...USAGE_FIELDS, "maxOutputTokens"], numberFrom(0, Number.MAX_SAFE_INTEGER)),
  ...each(["only", "exclude"], listOf(name)),
  affinityKey: name,
};
const signal = objectWith("addEventListener", "an AbortSignal");
const fairness: Shape = { fairnessKey: name, fairnessWeight: positiveNumber };
const acquires: Shape = {
  ...needs,
  ...fairness,
  maxWaitMs: fromZeroToInfinity,
  priority: allowed("a finite number", Number.isFinite),
  leaseTimeoutMs: positiveNumber,
  signal,
};
const runs: Shape = { ...acquires, ...waits, label: name };

/** Accepts lists of providers that are among `names`. Other checks report what is no list. */
function declaredProviders(names: ReadonlySet<unknown> = new Set()): Check {
  const declared = [...names].filter((name) => typeof name === "string");
  const known: Check = (value, problems) => {
    const name = isRecord(value) ? value["provider"] : value;
    if (typeof name !== "string" || name === "" || names.has(name)) return;
    problems.add("a declared provider", name, `unknown provider ${valueText(name)}${meantOf(name, declared)}`);
  };
  return (value, problems) => {
    if (!isRecord(value)) return;
    for (const [name, list] of Object.entries(value)) {
      if (Array.isArray(list)) problems.at(name, listOf(known), list);
    }
  };
}

/** Check of the options of a limiter; `profiles` are the names of the known profiles. */
export function optionsFor(profiles: readonly string[]): Check {
  const shape = objectOf({ ...optionsShape, profile: oneOf(profiles) });
  return (value, problems) => {
    const pools = isRecord(value) && value["pools"];
    problems.pools = new Set(isRecord(pools) ? Object.keys(pools) : []);
    shape(value, problems);
    // An invalid name of a provider must not make its name in a list invalid, too.
    if (isRecord(value) && problems.isEmpty)
      problems.at("capabilities", declaredProviders(problems.names), value["capabilities"]);
  };
}

// Checks of the arguments of the other public methods.
export const patch: Check = objectOf({ ...providerShape, limits: objectOf(each(LIMIT_NAMES, nullOr(fromZero))) });
const poolShape = objectOf({ name, ...draws }, "name");
/** A profile without pools rejects it under the name of the option `pools`. */
export const pool: Check = (value, problems) => checkOf({ pools: poolShape }, "pools", problems)(value, problems);
/** Rejects the call in a profile without snapshots. */
export const snapshotCall: Check = (_, problems) =>
  problems.at("snapshot", checkOf({ snapshot: anything }, "snapshot", problems), null);
export const capability: Check = objectOf({ name, providers: listed }, "name", "providers");
export const select: Check = objectOf(needs);
export const itemNeeds: Check = objectOf({ ...needs, ...fairness, label: name });
export const acquire: Check = objectOf(acquires);
export const run: Check = objectOf(runs);
export const stream: Check = objectOf({ ...runs, chunkTimeoutMs: positiveNumber });
export const map: Check = objectOf({
  ...runs,
  ...{ needs: anyFunction, concurrency: positiveWhole, stopSignal: signal },
  ...{ maxUsd: positiveNumber, onBudget: oneOf(["stop", "wait"]) },
});
export const close: Check = objectOf({ drain: trueOrFalse, timeoutMs: fromZeroToInfinity });
export const task: Check = objectOf({ task: anyFunction }, "task");
export const batch: Check = objectOf({ items: allowed("an iterable", isIterable), task: anyFunction }, "items", "task");
export const query: Check = objectOf({ dimension: oneOf(DIMENSIONS), window });
export const listener: Check = objectOf({ event: oneOf(EVENT_NAMES), listener: anyFunction }, "event", "listener");

/** Throws InvalidConfig with every problem of `value`. `pools` are the pools that it can name. */
export function validate(check: Check, value: unknown, vocabulary?: Vocabulary, pools?: Names): void {
  const problems = new Problems(vocabulary);
  problems.pools = pools;
  check(value, problems);
  problems.throwIfAny();
}

function isIterable(value: unknown): boolean {
  if (typeof value === "string") return true;
  return typeof value === "object" && value !== null && (Symbol.iterator in value || Symbol.asyncIterator in value);
}
