import { isZone } from "../clock/calendar.ts";
import {
  allowed,
  anyFunction,
  type Check,
  each,
  listOf,
  name,
  nullOr,
  numberFrom,
  objectOf,
  oneOf,
  positiveNumber,
  recordOf,
  trueOrFalse,
  wholeNumber,
} from "./check.ts";
import type { Dialect } from "./dialect.ts";
import { HEALTH_DEFAULTS } from "./health-settings.ts";
import { LIMIT_NAMES } from "./limits.ts";
import { isRecord, Problems } from "./problems.ts";
import { USAGE_FIELDS } from "./usage.ts";
import { WINDOW_MS } from "./window.ts";

/** Names that are declared; a Map or Set of them. */
interface Names {
  has(name: string): boolean;
}

const fromZero = numberFrom(0);
const share = numberFrom(0, 1);

const zone = allowed("an IANA time zone", (value) => typeof value === "string" && isZone(value));
const calendar = objectOf({ calendar: oneOf(["day", "week", "month"]), timeZone: zone }, "calendar");
const seconds = allowed(
  "a number > 0 that a clock can count",
  (value) => value > 0 && value * 1_000 <= Number.MAX_SAFE_INTEGER,
);
const rolling = objectOf({ seconds }, "seconds");
const namedWindow = oneOf(Object.keys(WINDOW_MS));

const window: Check = (value, path, problems) => {
  // A profile in which a quota need not say its window knows no others than the named ones.
  const isNamed = !isRecord(value) || problems.dialect!.windowByDefault !== null;
  (isNamed ? namedWindow : "calendar" in value ? calendar : rolling)(value, path, problems);
};

const quotaShape = objectOf(
  {
    dimension: (value, path, problems) => oneOf(problems.dialect!.dimensions)(value, path, problems),
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

/** Besides its fields: what they may not say together. */
const quota: Check = (value, path, problems) => {
  quotaShape(value, path, problems);
  if (!isRecord(value)) return;
  const refuse = (why: string, ...keys: readonly string[]) => {
    for (const key of keys)
      if (value[key] !== undefined) problems.add(`${path}.${key}`, `nothing (${why})`, value[key]);
  };
  const { dimension, window, strategy } = value;
  if (dimension === "concurrency")
    return refuse("concurrency has no window", "strategy", "burst", "resetEpochMs", "countsAtEnd");
  if (window === undefined && problems.dialect!.windowByDefault === null)
    problems.add(`${path}.window`, "a window", window);
  if (isRecord(window) && "calendar" in window)
    return refuse("a calendar resets by itself", "strategy", "burst", "resetEpochMs");
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
const provider = objectOf({ name, ...providerShape }, "name");

const listedObject = objectOf({ provider: name, priority: fromZero }, "provider");
const listedName = allowed(
  "a provider's name or { provider, priority }",
  (value) => typeof value === "string" && value !== "",
);
const listed = listOf((value, path, problems) => (isRecord(value) ? listedObject : listedName)(value, path, problems));

const weights = objectOf(each(["quota", "health", "priority", "latency"], fromZero));

const options = objectOf({
  providers: listOf(provider),
  capabilities: recordOf(listed),
  pools: recordOf(objectOf(draws)),
  profile: oneOf(["anticipatory", "classic"]),
  scoring: (value, path, problems) => {
    if (!isRecord(value) || typeof value["score"] !== "function") weights(value, path, problems);
  },
  health: objectOf({
    ...each(Object.keys(HEALTH_DEFAULTS), fromZero),
    ...each(["recoveredHealth", "ewmaAlpha", "cooldownThreshold"], share),
    cooldownTriggerCount: wholeNumber(0),
  }),
  minimumHealthScore: share,
  defaultCooldownSeconds: fromZero,
  spread: oneOf(["score", "headroom"]),
  leaseTimeoutMs: positiveNumber,
  skewCapMs: allowed("a number >= 0 or Infinity", (value) => typeof value === "number" && value >= 0),
  maxWaiting: wholeNumber(0),
  retryBudget: objectOf(each(["ratio", "perMinute"], fromZero)),
  snapshot: nullOr(allowed("a snapshot or null", isRecord)),
  clock: allowed("an object with a now method", (value) => isRecord(value) && typeof value["now"] === "function"),
  random: anyFunction,
});

/** What can be judged: the argument of each call that takes one. */
export type Subject = "options" | "provider" | "patch" | "pool" | "capability" | "select" | "query" | "weights";

const checks: { readonly [subject in Subject]: Check } = {
  weights,
  query: objectOf({ window }),
  options,
  provider,
  patch: objectOf({ ...providerShape, limits: objectOf(each(LIMIT_NAMES, nullOr(fromZero))) }),
  pool: objectOf({ name, ...draws }, "name"),
  capability: objectOf({ name, providers: listed }, "name", "providers"),
  select: objectOf({
    ...each([...USAGE_FIELDS, "maxOutputTokens"], numberFrom(0, Number.MAX_SAFE_INTEGER)),
    ...each(["only", "exclude"], listOf(name)),
  }),
};

/** Throws InvalidConfig with every problem of `value` at once; `pools` are those that it may name. */
export function validate(subject: Subject, value: unknown, dialect?: Dialect, pools?: Names): void {
  const problems = new Problems(dialect);
  checks[subject](value, "", problems);
  if (isRecord(value)) {
    const { providers } = value;
    if (pools !== undefined) checkPools(value, pools, "", problems);
    if (Array.isArray(providers) && subject === "options") checkProviders(providers, value["pools"], problems);
  }
  problems.throwIfAny();
}

/** What the providers of one declaration may not say together. */
function checkProviders(providers: readonly unknown[], pools: unknown, problems: Problems): void {
  const declared = new Set(isRecord(pools) ? Object.keys(pools) : []);
  const names = new Set<unknown>();
  for (const [i, provider] of providers.entries()) {
    if (!isRecord(provider)) continue;
    if (names.has(provider["name"])) problems.add(`providers[${i}].name`, "a name of its own", provider["name"]);
    names.add(provider["name"]);
    checkPools(provider, declared, `providers[${i}].`, problems);
  }
}

function checkPools(
  provider: { readonly [key: string]: unknown },
  known: Names,
  path: string,
  problems: Problems,
): void {
  const { pools } = provider;
  for (const [i, pool] of Array.isArray(pools) ? pools.entries() : []) {
    if (typeof pool === "string" && !known.has(pool)) problems.add(`${path}pools[${i}]`, "a declared pool", pool);
  }
}
