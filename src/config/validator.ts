import { isZone } from "../clock/calendar.ts";
import {
  anyFunction,
  type Check,
  isRecord,
  listOf,
  nonEmptyText,
  nullOr,
  numberFrom,
  objectOf,
  oneOf,
  positiveNumber,
  recordOf,
  type Shape,
  trueOrFalse,
  unsupported,
  wholeNumberFrom,
} from "./check.ts";
import type { Dialect } from "./dialect.ts";
import { LIMIT_NAMES, LIMIT_WORDS } from "./limits.ts";
import { Problems } from "./problems.ts";
import { WINDOW_MS } from "./window.ts";

const fromZero = numberFrom(0);
const share = numberFrom(0, 1);
const amount = numberFrom(0, Number.MAX_SAFE_INTEGER);
const STRATEGIES = ["sliding_window", "token_bucket", "fixed_window"];
const PERIODS = ["day", "week", "month"];

/** The only judge of configuration: every method reports all problems of its argument at once, and changes nothing. */
export class Validator {
  readonly #options: Shape;
  readonly #provider: Check;
  readonly #patch: Check;
  readonly #pool: Check;
  readonly #capability: Check;
  readonly #select: Check;

  constructor(dialect: Dialect) {
    const limits = limitsShape(dialect);
    const quotas = listOf(quotaCheck(dialect));
    const draws = { limits: objectOf(limits), quotas };
    const provider = without(dialect, "provider", {
      ...draws,
      pools: listOf(nonEmptyText),
      price: objectOf({
        usdPerRequest: fromZero,
        usdPerMillionInputTokens: fromZero,
        usdPerMillionOutputTokens: fromZero,
      }),
      priority: fromZero,
      weight: fromZero,
      paused: trueOrFalse,
      cooldownSeconds: fromZero,
    });
    const named = { name: nonEmptyText };
    const capabilityProviders = listOf(capabilityProvider);
    this.#provider = objectOf({ ...named, ...provider }, ["name"]);
    this.#patch = objectOf({ ...provider, limits: objectOf(mapShape(limits, nullOr)) });
    this.#pool = objectOf({ ...named, ...draws }, ["name"]);
    this.#capability = objectOf({ ...named, providers: capabilityProviders }, ["name", "providers"]);
    this.#select = objectOf(without(dialect, "select", selectShape));
    this.#options = without(dialect, "options", {
      providers: listOf(this.#provider),
      capabilities: recordOf(capabilityProviders),
      pools: recordOf(objectOf(draws)),
      profile: oneOf(["anticipatory", "classic"]),
      scoring: scoringCheck,
      health: objectOf(without(dialect, "health", healthShape)),
      minimumHealthScore: share,
      defaultCooldownSeconds: fromZero,
      spread: oneOf(["score", "headroom"]),
      leaseTimeoutMs: positiveNumber,
      skewCapMs: durationOrInfinity,
      maxWaiting: wholeNumberFrom(0),
      retryBudget: objectOf({ ratio: fromZero, perMinute: fromZero }),
      snapshot: nullOr(anyObject),
      clock: clockCheck,
      random: anyFunction,
    });
  }

  checkOptions(options: unknown): void {
    const problems = new Problems();
    objectOf(this.#options)(options, "", problems);
    if (isRecord(options)) {
      const pools = isRecord(options["pools"]) ? new Set(Object.keys(options["pools"])) : new Set<string>();
      const names = new Set<unknown>();
      const providers = Array.isArray(options["providers"]) ? (options["providers"] as readonly unknown[]) : [];
      for (const [i, provider] of providers.entries()) {
        if (!isRecord(provider)) continue;
        const name = provider["name"];
        if (names.has(name)) problems.add(`providers[${i}].name`, "a name that no provider before it has", name);
        names.add(name);
        checkPools(provider["pools"], pools, `providers[${i}].pools`, problems);
      }
    }
    problems.throwIfAny();
  }

  checkProvider(config: unknown, pools: { has(name: string): boolean }): void {
    const problems = new Problems();
    this.#provider(config, "", problems);
    if (isRecord(config)) checkPools(config["pools"], pools, "pools", problems);
    problems.throwIfAny();
  }

  checkPatch(patch: unknown, pools: { has(name: string): boolean }): void {
    const problems = new Problems();
    this.#patch(patch, "", problems);
    if (isRecord(patch)) checkPools(patch["pools"], pools, "pools", problems);
    problems.throwIfAny();
  }

  checkPool(config: unknown): void {
    check(this.#pool, config);
  }

  checkCapability(config: unknown): void {
    check(this.#capability, config);
  }

  checkSelect(options: unknown): void {
    check(this.#select, options);
  }

  checkListener(event: unknown, events: readonly string[], listener: unknown): void {
    const problems = new Problems();
    oneOf(events)(event, "event", problems);
    anyFunction(listener, "listener", problems);
    problems.throwIfAny();
  }
}

function check(judge: Check, value: unknown): void {
  const problems = new Problems();
  judge(value, "", problems);
  problems.throwIfAny();
}

const selectShape: Shape = {
  requests: amount,
  tokens: amount,
  inputTokens: amount,
  outputTokens: amount,
  bytes: amount,
  costMicroUsd: amount,
  maxOutputTokens: amount,
  only: listOf(nonEmptyText),
  exclude: listOf(nonEmptyText),
};

const healthShape: Shape = {
  decayHalfLifeSeconds: fromZero,
  penalty429: fromZero,
  penalty403: fromZero,
  penalty5xx: fromZero,
  penaltyTimeout: fromZero,
  boostSuccess: fromZero,
  cooldownTriggerCount: wholeNumberFrom(1),
  cooldownMultiplier: fromZero,
  maxCooldownSeconds: fromZero,
  recoveredHealth: share,
  ewmaAlpha: share,
  cooldownThreshold: share,
};

const weightsCheck = objectOf({ quota: fromZero, health: fromZero, priority: fromZero, latency: fromZero });

function scoringCheck(value: unknown, path: string, problems: Problems): void {
  if (isRecord(value) && typeof value["score"] === "function") return;
  if (isRecord(value)) weightsCheck(value, path, problems);
  else problems.add(path, "weights, or an object with a score method", value);
}

/** Checks weights that are given to a scorer directly. */
export function checkWeights(weights: unknown): void {
  check(weightsCheck, weights);
}

function clockCheck(value: unknown, path: string, problems: Problems): void {
  if (!isRecord(value) || typeof value["now"] !== "function") problems.add(path, "an object with a now method", value);
}

function anyObject(value: unknown, path: string, problems: Problems): void {
  if (!isRecord(value)) problems.add(path, "a snapshot or null", value);
}

function durationOrInfinity(value: unknown, path: string, problems: Problems): void {
  if (typeof value !== "number" || !(value >= 0)) problems.add(path, "a number >= 0, or Infinity", value);
}

const entryCheck = objectOf({ provider: nonEmptyText, priority: fromZero }, ["provider"]);

function capabilityProvider(value: unknown, path: string, problems: Problems): void {
  if (isRecord(value)) entryCheck(value, path, problems);
  else if (typeof value !== "string" || value === "") {
    problems.add(path, "a provider's name or { provider, priority }", value);
  }
}

function checkPools(names: unknown, known: { has(name: string): boolean }, path: string, problems: Problems): void {
  if (!Array.isArray(names)) return;
  for (const [i, name] of (names as readonly unknown[]).entries()) {
    if (typeof name === "string" && name !== "" && !known.has(name))
      problems.add(`${path}[${i}]`, "the name of a declared pool", name);
  }
}

function mapShape(shape: Shape, change: (check: Check) => Check): Shape {
  return Object.fromEntries(Object.entries(shape).map(([key, judge]) => [key, change(judge)]));
}

function without(dialect: Dialect, object: keyof Dialect["without"], shape: Shape): Shape {
  const refused = dialect.without[object].map((key) => [key, unsupported(dialect.why)] as const);
  return { ...shape, ...Object.fromEntries(refused) };
}

function limitsShape(dialect: Dialect): Shape {
  return Object.fromEntries(
    LIMIT_NAMES.map((word) => [
      word,
      dialect.dimensions.includes(LIMIT_WORDS[word][0]) ? fromZero : unsupported(dialect.why),
    ]),
  );
}

function windowCheck(dialect: Dialect): Check {
  const names = oneOf(Object.keys(WINDOW_MS));
  const seconds: Check = (value, path, problems) => {
    positiveNumber(value, path, problems);
    if (typeof value === "number" && value * 1_000 > Number.MAX_SAFE_INTEGER) {
      problems.add(path, "a length that a clock can count", value);
    }
  };
  const timeZone: Check = (value, path, problems) => {
    if (typeof value !== "string" || !isZone(value)) problems.add(path, "an IANA time zone", value);
  };
  const rolling = objectOf({ seconds }, ["seconds"]);
  const calendar = objectOf({ calendar: oneOf(PERIODS), timeZone }, ["calendar"]);
  return (value, path, problems) => {
    if (dialect.windows === "named" || !isRecord(value)) {
      if (dialect.windows === "named" && isRecord(value)) unsupported(dialect.why)(value, path, problems);
      else names(value, path, problems);
    } else ("calendar" in value ? calendar : rolling)(value, path, problems);
  };
}

function quotaCheck(dialect: Dialect): Check {
  const shape = without(dialect, "quota", {
    dimension: oneOf(dialect.dimensions),
    limit: fromZero,
    window: windowCheck(dialect),
    strategy: oneOf(STRATEGIES),
    burst: fromZero,
    resetEpochMs: numberFrom(-8.64e15, 8.64e15),
    countsAtEnd: trueOrFalse,
  });
  const judge = objectOf(shape, ["dimension", "limit"]);
  return (value, path, problems) => {
    judge(value, path, problems);
    if (isRecord(value)) checkTogether(value, path, problems, dialect);
  };
}

/** What a quota's fields may not say together. */
function checkTogether(
  quota: { readonly [key: string]: unknown },
  path: string,
  problems: Problems,
  dialect: Dialect,
): void {
  const refuse = (key: string, why: string) => {
    if (quota[key] !== undefined) problems.add(`${path}.${key}`, `nothing (${why})`, quota[key]);
  };
  if (quota["dimension"] === "concurrency") {
    for (const key of ["strategy", "burst", "resetEpochMs", "countsAtEnd"]) refuse(key, "concurrency has no window");
    return;
  }
  const { window, strategy } = quota;
  if (window === undefined) {
    if (dialect.windowByDefault === null) problems.add(`${path}.window`, "a window", window);
  } else if (isRecord(window) && "calendar" in window) {
    for (const key of ["strategy", "burst", "resetEpochMs"]) refuse(key, "a calendar window resets with its calendar");
    return;
  }
  if (strategy !== "token_bucket") refuse("burst", "only a token_bucket has a burst");
  if (strategy !== "fixed_window") refuse("resetEpochMs", "only a fixed_window has a reset instant");
}
