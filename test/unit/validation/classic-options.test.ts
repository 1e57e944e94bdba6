// Options that the ports do not have are rejected with one clear error in the classic profile, and options that they
// accept are accepted.
import { describe, expect, it } from "vitest";
import { GrateLimiter, type GrateLimiterOptions, MockClock } from "../../../src/index.ts";
import { problemPaths } from "../../support/invalid-values.ts";

const classic = (options: unknown = {}) =>
  new GrateLimiter({ profile: "classic", clock: new MockClock(), ...(options as GrateLimiterOptions) }) as GrateLimiter;

const NEW_PROVIDER_PARTS: readonly [path: string, part: object][] = [
  ["pools", { pools: [] }],
  ["price", { price: { usdPerRequest: 1 } }],
  ["paused", { paused: false }],
  ["limits.itpm", { limits: { itpm: 5 } }],
  ["limits.otpm", { limits: { otpm: 5 } }],
  ["quotas[0].dimension", { quotas: [{ dimension: "input_tokens", limit: 5, window: "minute" }] }],
  ["quotas[0].dimension", { quotas: [{ dimension: "output_tokens", limit: 5, window: "minute" }] }],
  ["quotas[0].window", { quotas: [{ dimension: "requests", limit: 5, window: { seconds: 60 } }] }],
  ["quotas[0].window", { quotas: [{ dimension: "requests", limit: 5, window: { calendar: "day" } }] }],
  ["quotas[0].strategy", { quotas: [{ dimension: "requests", limit: 5, window: "day", strategy: "token_bucket" }] }],
  ["quotas[0].strategy", { quotas: [{ dimension: "requests", limit: 5, window: "day", strategy: "sliding_window" }] }],
  ["quotas[0].countsAtEnd", { quotas: [{ dimension: "requests", limit: 5, window: "day", countsAtEnd: false }] }],
];

const NEW_OPTIONS: readonly [path: string, options: object][] = [
  ["pools", { pools: {} }],
  ["spread", { spread: "score" }],
  ["health.recoveredHealth", { health: { recoveredHealth: 0.9 } }],
  ["health.ewmaAlpha", { health: { ewmaAlpha: 0.3 } }],
  ["health.cooldownThreshold", { health: { cooldownThreshold: 0 } }],
];

describe("the classic profile", () => {
  it.each(NEW_OPTIONS)("the classic profile rejects the option %s", (path, options) => {
    expect(problemPaths(() => classic(options))).toEqual([path]);
    expect(problemPaths(() => new GrateLimiter(options as GrateLimiterOptions))).toEqual([]);
  });

  it.each(NEW_PROVIDER_PARTS)("the classic profile rejects %s of a provider: %j", (path, part) => {
    expect(problemPaths(() => classic({ providers: [{ name: "a", ...part }] }))).toEqual([`providers[0].${path}`]);
    const limiter = classic({ providers: [{ name: "a" }] });
    expect(problemPaths(() => limiter.upsertProvider({ name: "a", ...part }))).toEqual([path]);
    expect(problemPaths(() => limiter.updateProvider("a", part))).toEqual([path]);
    expect(problemPaths(() => new GrateLimiter({ providers: [{ name: "a", ...part }] }))).toEqual([]);
  });

  it("the classic profile rejects bursts and reset instants, with or without their strategy", () => {
    const quota = { dimension: "requests", limit: 5, window: "minute" };
    const pathsOf = (more: object) =>
      problemPaths(() => classic({ providers: [{ name: "a", quotas: [{ ...quota, ...more }] }] }));
    expect(pathsOf({ strategy: "token_bucket", burst: 5 })).toContain("providers[0].quotas[0].burst");
    expect(pathsOf({ burst: 5 })).toContain("providers[0].quotas[0].burst");
    expect(pathsOf({ strategy: "fixed_window", resetEpochMs: 5 })).toContain("providers[0].quotas[0].resetEpochMs");
  });

  it("the classic profile rejects pools that are declared later", () => {
    expect(problemPaths(() => classic().upsertPool({ name: "org", limits: { rpm: 1 } }))).not.toEqual([]);
  });

  it.each(["requests", "tokens", "inputTokens", "outputTokens", "bytes", "costMicroUsd", "maxOutputTokens"])(
    "the classic profile rejects %s, only and exclude in select",
    (amount) => {
      const limiter = classic({ providers: [{ name: "a" }], capabilities: { chat: ["a"] } });
      expect(problemPaths(() => limiter.select("chat", { [amount]: 1 }))).toEqual([amount]);
      expect(problemPaths(() => limiter.select("chat", { only: ["a"], exclude: [] }))).toEqual(["exclude", "only"]);
      expect(limiter.select("chat", {}).provider).toBe("a");
    },
  );

  it.each(["unauthorized", "overloaded", "quota_exhausted", "cancelled", 401, 402, 503, 529] as const)(
    "the classic profile rejects the status %s and changes nothing",
    (status) => {
      const limiter = classic({ providers: [{ name: "a", limits: { rpm: 5 } }] });
      const before = JSON.stringify(limiter.inspect());
      const observe = () => limiter.observe({ provider: "a", outcome: { status } });
      expect(problemPaths(observe)).toEqual(["outcome.status"]);
      expect(JSON.stringify(limiter.inspect())).toBe(before);
    },
  );

  it("the error of the classic profile explains the rejection", () => {
    expect(() => classic({ spread: "score" })).toThrow(
      /^spread: not allowed in the classic profile, got "score"; remove it$/,
    );
    expect(() => classic({ providers: [{ name: "a", paused: true }] })).toThrow(/classic/);
  });
});

describe("options that both profiles accept", () => {
  it.each(["classic", "anticipatory"] as const)("both profiles accept %s", (profile) => {
    const limiter: GrateLimiter = new GrateLimiter({
      profile,
      clock: new MockClock(),
      providers: [
        { name: "nothing allowed", limits: { rpm: 0 }, priority: 0, cooldownSeconds: 0, weight: 0 },
        { name: "huge", limits: { rpm: 2 ** 60 }, quotas: [{ dimension: "cost_usd", limit: 5, window: "hour" }] },
        { name: "bare" },
      ],
      capabilities: { empty: [], chat: ["bare", { provider: "huge", priority: 0 }] },
      scoring: { quota: 9, health: 0, priority: 0, latency: 0.5 },
      health: {
        ...{ decayHalfLifeSeconds: 0, penalty429: 2, boostSuccess: 0 },
        ...{ cooldownTriggerCount: 0, cooldownMultiplier: 0, maxCooldownSeconds: 0 },
      },
      minimumHealthScore: 0,
      maxWaiting: 0,
      defaultCooldownSeconds: 0,
    });
    limiter.upsertCapability({ name: "unborn", providers: ["ghost"] });
    limiter.upsertCapability({ name: "chat", providers: ["bare", "ghost", { provider: "huge", priority: 0 }] });
    expect(limiter.select("chat").provider).toBe("bare");
    expect(() => limiter.select("empty")).toThrow(expect.objectContaining({ code: "no_available_providers" }));
    expect(() => limiter.select("unborn")).toThrow(expect.objectContaining({ code: "no_available_providers" }));
    expect(limiter.remainingQuota("nothing allowed", "requests")).toBe(0);
  });
});
