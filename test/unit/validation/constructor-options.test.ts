// Every field of every configuration with invalid values: InvalidConfig contains the path, and nothing changes.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GrateLimiter, type GrateLimiterOptions, InvalidConfig, MockClock } from "../../../src/index.ts";
import {
  NO_LISTS,
  NO_NAMES,
  NO_NUMBERS,
  NO_OBJECTS,
  problemPaths,
  problems,
  withValueAt,
} from "../../support/invalid-values.ts";

/** A configuration that contains every option once. */
const FULL = {
  providers: [
    {
      name: "a",
      limits: { rpm: 1, concurrency: 2, usdPerDay: 0.5 },
      quotas: [
        { dimension: "tokens", limit: 5, window: { seconds: 9 }, strategy: "token_bucket", burst: 7 },
        { dimension: "bytes", limit: 5, window: "day", strategy: "fixed_window", resetEpochMs: 4, countsAtEnd: true },
        { dimension: "requests", limit: 5, window: { calendar: "week", timeZone: "Europe/Berlin" } },
        { dimension: "concurrency", limit: 5 },
      ],
      pools: ["org"],
      price: { usdPerRequest: 1, usdPerMillionInputTokens: 2, usdPerMillionOutputTokens: 3 },
      priority: 1,
      weight: 1,
      paused: false,
      cooldownSeconds: 1,
    },
    { name: "b" },
  ],
  capabilities: { chat: ["a", { provider: "b", priority: 2 }] },
  pools: { org: { limits: { tpm: 9 }, quotas: [{ dimension: "requests", limit: 1, window: "hour" }] } },
  profile: "anticipatory",
  scoring: { quota: 1, health: 1, priority: 1, latency: 1 },
  health: {
    ...{ decayHalfLifeSeconds: 1, penalty429: 0, penalty403: 0, penalty5xx: 0, penaltyTimeout: 0, boostSuccess: 0 },
    ...{ cooldownTriggerCount: 1, cooldownMultiplier: 1, maxCooldownSeconds: 1 },
    ...{ recoveredHealth: 1, ewmaAlpha: 1, cooldownThreshold: 0 },
  },
  minimumHealthScore: 0.5,
  defaultCooldownSeconds: 1,
  spread: "score",
  leaseTimeoutMs: 1,
  skewCapMs: 1,
  maxWaiting: 1,
  retryBudget: { ratio: 1, perMinute: 1 },
  defaults: { maxAttempts: 1 },
} as const satisfies GrateLimiterOptions;

const NUMBERS = [
  ...["providers[0].limits.rpm", "providers[0].limits.concurrency", "providers[0].limits.usdPerDay"],
  ...["providers[0].quotas[0].limit", "providers[0].quotas[0].burst", "providers[0].quotas[0].window.seconds"],
  ...[
    "providers[0].quotas[3].limit",
    "providers[0].price.usdPerRequest",
    "providers[0].price.usdPerMillionInputTokens",
  ],
  ...["providers[0].price.usdPerMillionOutputTokens", "providers[0].priority", "providers[0].weight"],
  ...["providers[0].cooldownSeconds", "capabilities.chat[1].priority", "pools.org.limits.tpm"],
  ...["pools.org.quotas[0].limit", "scoring.quota", "scoring.health", "scoring.priority", "scoring.latency"],
  ...Object.keys(FULL.health).map((key) => `health.${key}`),
  ...["minimumHealthScore", "defaultCooldownSeconds", "leaseTimeoutMs", "maxWaiting"],
];
/** Options that can be Infinity. */
const UNLIMITED = ["retryBudget.ratio", "retryBudget.perMinute", "skewCapMs", "defaults.maxAttempts"];
const WORDS = [
  ...["profile", "spread", "providers[0].quotas[0].dimension", "providers[0].quotas[0].strategy"],
  ...["providers[0].quotas[1].window", "providers[0].quotas[2].window.calendar"],
  ...["providers[0].quotas[2].window.timeZone"],
];
const NAMES = ["providers[0].name", "providers[0].pools[0]", "capabilities.chat[1].provider"];
const LISTS = ["providers", "providers[0].quotas", "providers[0].pools", "capabilities.chat", "pools.org.quotas"];
const OBJECTS = [
  ...["providers[0]", "providers[0].limits", "providers[0].quotas[0]", "providers[0].price", "capabilities"],
  ...["pools", "pools.org", "pools.org.limits", "scoring", "health", "retryBudget", ""],
];
const FLAGS = ["providers[0].paused", "providers[0].quotas[1].countsAtEnd"];
const SHARES = ["minimumHealthScore", "health.recoveredHealth", "health.ewmaAlpha", "health.cooldownThreshold"];

const make = (options: unknown) => () => new GrateLimiter(options as GrateLimiterOptions);
const pathsWith = (path: string, value: unknown) => problemPaths(make(withValueAt(FULL, path, value)));

describe("the constructor", () => {
  it("the constructor accepts a configuration with every option, and one with none", () => {
    expect(problems(make(FULL))).toEqual([]);
    for (const none of [undefined, {}, { providers: [], capabilities: {}, pools: {} }]) {
      expect(problems(make(none))).toEqual([]);
    }
  });

  it.each(NUMBERS)("the constructor rejects a value of %s that is not a number, with its path", (path) => {
    for (const value of NO_NUMBERS) expect(pathsWith(path, value), String(value)).toEqual([path]);
  });

  it.each(UNLIMITED)("the constructor accepts Infinity for %s and rejects a value that is no number", (path) => {
    expect(pathsWith(path, Number.POSITIVE_INFINITY)).toEqual([]);
    const invalid = NO_NUMBERS.filter((value) => value !== Number.POSITIVE_INFINITY);
    for (const value of invalid) expect(pathsWith(path, value), String(value)).toEqual([path]);
  });

  it("the constructor accepts false for retryBudget, and a whole maxAttempts from 1", () => {
    expect(pathsWith("retryBudget", false)).toEqual([]);
    for (const value of [true, null, 0]) expect(pathsWith("retryBudget", value)).toEqual(["retryBudget"]);
    for (const value of [0, 1.5]) expect(pathsWith("defaults.maxAttempts", value)).toEqual(["defaults.maxAttempts"]);
  });

  it.each(SHARES)("the constructor rejects a value of %s above 1", (path) => {
    for (const value of [1.000001, 2, 1e9]) expect(pathsWith(path, value)).toEqual([path]);
    for (const value of [0, 0.5, 1]) expect(pathsWith(path, value)).toEqual([]);
  });

  it.each(["health.cooldownTriggerCount", "maxWaiting"])(
    "the constructor rejects a value of %s that is not an integer",
    (path) => {
      for (const value of [0.5, 1.5]) expect(pathsWith(path, value)).toEqual([path]);
    },
  );

  it.each(WORDS)("the constructor rejects an unknown word as %s", (path) => {
    for (const value of [...NO_NAMES, "Minute", "REQUESTS", "minutes", "request", "Mars/Olympus", "toString"]) {
      expect(pathsWith(path, value), String(value)).not.toEqual([]);
      for (const at of pathsWith(path, value))
        expect(at.startsWith(path) || at.startsWith("providers[0].quotas")).toBe(true);
    }
  });

  it.each(NAMES)("the constructor rejects an invalid name as %s", (path) => {
    for (const value of NO_NAMES) expect(pathsWith(path, value), String(value)).toContain(path);
  });

  it.each(LISTS)("the constructor rejects a value of %s that is not a list", (path) => {
    for (const value of NO_LISTS) expect(pathsWith(path, value), String(value)).toContain(path);
  });

  it.each(OBJECTS)(
    "the constructor rejects a value of %s that is not an object, with the path '' for the options themselves",
    (path) => {
      for (const value of NO_OBJECTS) expect(pathsWith(path, value), String(value)).toContain(path);
    },
  );

  it.each(FLAGS)("the constructor rejects a value of %s that is not a boolean", (path) => {
    for (const value of [0, 1, "true", null, {}]) expect(pathsWith(path, value)).toEqual([path]);
  });

  it.each([
    ["clock", [5, "x", true, null, [], () => 5]],
    ["random", [5, "x", true, null, [], {}]],
  ])("the constructor rejects an invalid value of %s", (path, values) => {
    for (const value of values) expect(pathsWith(path, value), String(value)).toEqual([path]);
  });

  it("the constructor rejects a clock without now, skewCapMs below 0, and an empty name of a capability or pool", () => {
    expect(pathsWith("clock", { epochNow: () => 0 })).toEqual(["clock"]);
    expect(pathsWith("skewCapMs", Number.POSITIVE_INFINITY)).toEqual([]);
    for (const value of [-1, Number.NaN, "5", null]) expect(pathsWith("skewCapMs", value)).toEqual(["skewCapMs"]);
    expect(problems(make({ capabilities: { "": ["a"] } }))).toHaveLength(1);
    expect(problems(make({ pools: { "": {} } }))).toHaveLength(1);
    expect(problemPaths(make({ capabilities: { chat: ["a", ""] } }))).toEqual(["capabilities.chat[1]"]);
  });

  it.each([
    ["", "provider", "providers"],
    ["providers[0].", "cooldownSecond", "cooldownSeconds"],
    ["providers[0].limits.", "rmp", "rpm"],
    ["providers[0].limits.", "usdPerDays", "usdPerDay"],
    ["providers[0].quotas[0].", "brust", "burst"],
    ["providers[0].quotas[0].window.", "second", "seconds"],
    ["providers[0].quotas[2].window.", "timezone", "timeZone"],
    ["providers[0].price.", "usdPerRequests", "usdPerRequest"],
    ["capabilities.chat[1].", "prioriy", "priority"],
    ["pools.org.", "quota", "quotas"],
    ["scoring.", "latencys", "latency"],
    ["health.", "penalty_429", "penalty429"],
    ["retryBudget.", "perMinutes", "perMinute"],
  ])("the constructor suggests a known key for an unknown one: %s%s, %s", (at, key, meant) => {
    const found = problems(make(withValueAt(FULL, at + key, 1)));
    expect(found).toEqual([{ path: at + key, expected: expect.stringContaining(meant), got: `"${key}"` }]);
    expect(make(withValueAt(FULL, at + key, 1))).toThrow(`${at}${key}: unknown "${key}", did you mean "${meant}"?`);
  });

  it("undefined counts as not given, in every field", () => {
    const optional = [
      ...NUMBERS.filter((path) => !/limit$|window|org\.limits/.test(path)),
      ...FLAGS,
      "profile",
      "spread",
    ];
    for (const path of optional) expect(pathsWith(path, undefined), path).toEqual([]);
    for (const path of ["providers[0].name", "providers[0].quotas[0].limit", "providers[0].quotas[1].window"]) {
      expect(pathsWith(path, undefined)).toEqual([path]);
    }
    expect(pathsWith("providers[0].quotas[0].window", undefined)).toEqual(["providers[0].quotas[0].window"]);
  });

  it("the constructor rejects a duplicate provider name and an undeclared pool", () => {
    expect(pathsWith("providers[1].name", "a")).toEqual(["providers[1].name"]);
    expect(pathsWith("providers[0].pools[0]", "gro")).toEqual(["providers[0].pools[0]"]);
    expect(pathsWith("pools", undefined)).toEqual(["providers[0].pools[0]"]);
  });

  it("the constructor reports several problems together, each with path, expected and received value", () => {
    const places = fc.uniqueArray(fc.constantFrom(...NUMBERS), { minLength: 2, maxLength: 8 });
    fc.assert(
      fc.property(places, (paths) => {
        let options: unknown = FULL;
        for (const path of paths) options = withValueAt(options, path, Number.NaN);
        const found = problems(make(options));
        expect(found.map(({ path }) => path).sort()).toEqual([...paths].sort());
        for (const { expected, got } of found) {
          expect(expected).toMatch(/number/);
          expect(got).toBe("NaN");
        }
      }),
    );
  });

  it("problems are plain data, with one line each in the message", () => {
    try {
      make({ providers: [{ name: "", weight: "heavy" }], unheard: 1 })();
      expect.unreachable();
    } catch (error) {
      if (!InvalidConfig.is(error)) throw error;
      expect(JSON.parse(JSON.stringify(error.problems))).toEqual(error.problems);
      expect(error.problems).toHaveLength(3);
      for (const { path } of error.problems) expect(error.message).toContain(`${path}: `);
    }
  });

  it("the constructor never throws another error, whatever it receives", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...NUMBERS, ...WORDS, ...NAMES, ...LISTS, ...OBJECTS),
        fc.anything(),
        (path, value) => {
          try {
            new GrateLimiter({ ...(withValueAt(FULL, path, value) as GrateLimiterOptions), clock: new MockClock() });
          } catch (error) {
            expect(InvalidConfig.is(error), String(error)).toBe(true);
          }
        },
      ),
      { numRuns: 600 },
    );
  });
});
