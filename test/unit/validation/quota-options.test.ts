// The meaning of limits and quotas: words, windows, strategies, and combinations that are not allowed.
import { describe, expect, it } from "vitest";
import { GrateLimiter, type Limits, MockClock, type QuotaConfig, type WindowSpec } from "../../../src/index.ts";
import { problemPaths } from "../../support/invalid-values.ts";

const SECONDS = { second: 1, minute: 60, hour: 3_600, day: 86_400 } as const;

function quotasOf(limits: Limits | undefined, quotas: readonly QuotaConfig[] = []) {
  const limiter = new GrateLimiter({ clock: new MockClock(), providers: [{ name: "a", limits, quotas }] });
  return limiter.forecast("a")!.map(({ dimension, window, limit }) => ({ dimension, window, limit }));
}

const pathsOf = (...quotas: unknown[]) =>
  problemPaths(() => new GrateLimiter({ providers: [{ name: "a", quotas: quotas as QuotaConfig[] }] })).map((path) =>
    path.replace("providers[0].", ""),
  );

describe("limits", () => {
  it.each([
    ["rps", "requests", "second"],
    ["rpm", "requests", "minute"],
    ["rph", "requests", "hour"],
    ["rpd", "requests", "day"],
    ["tpm", "tokens", "minute"],
    ["tph", "tokens", "hour"],
    ["tpd", "tokens", "day"],
    ["itpm", "input_tokens", "minute"],
    ["otpm", "output_tokens", "minute"],
    ["concurrency", "concurrency", null],
  ] as const)("%s is a limit of %s a %s, with fractions rounded down", (word, dimension, window) => {
    expect(quotasOf({ [word]: 7.99 })).toEqual([{ dimension, window, limit: 7 }]);
    expect(quotasOf({ [word]: 0 })).toEqual([{ dimension, window, limit: 0 }]);
    expect(Object.is(quotasOf({ [word]: -0 })[0]!.limit, 0)).toBe(true);
  });

  it.each([
    ["usdPerHour", "hour"],
    ["usdPerDay", "day"],
  ] as const)("%s is dollars a %s, rounded to whole micro-USD", (word, window) => {
    for (const [dollars, limit] of [
      [1, 1_000_000],
      [0.0079, 7_900],
      [0.57, 570_000],
      [1.1, 1_100_000],
      [2.0000014, 2_000_001],
      [2.0000016, 2_000_002],
      [0, 0],
    ] as const) {
      expect(quotasOf({ [word]: dollars })).toEqual([{ dimension: "cost_usd", window, limit }]);
    }
  });

  it("a limit of cost_usd in quotas is micro-USD, with fractions rounded down", () => {
    expect(quotasOf(undefined, [{ dimension: "cost_usd", limit: 2.9, window: "day" }])[0]!.limit).toBe(2);
  });

  it("limits and quotas are combined", () => {
    const quotas: QuotaConfig[] = [
      { dimension: "requests", limit: 5, window: "minute" },
      { dimension: "requests", limit: 6, window: { seconds: 60 } },
    ];
    expect(quotasOf({ rpm: 4 }, quotas).map(({ limit }) => limit)).toEqual([4, 5, 6]);
  });

  it("a limit can be the largest number and stays exact", () => {
    for (const limit of [Number.MAX_SAFE_INTEGER, 2 ** 60, Number.MAX_VALUE]) {
      expect(Number.isSafeInteger(quotasOf({ rpm: limit, usdPerDay: limit })[0]!.limit)).toBe(true);
      expect(Number.isSafeInteger(quotasOf({ usdPerDay: limit })[0]!.limit)).toBe(true);
    }
  });
});

describe("windows", () => {
  const remaining = (declared: WindowSpec, asked: WindowSpec) =>
    new GrateLimiter({
      clock: new MockClock(),
      providers: [{ name: "a", quotas: [{ dimension: "tokens", limit: 9, window: declared }] }],
    }).remainingQuota("a", "tokens", asked);

  it("windows are equal if their lengths are equal", () => {
    for (const [name, seconds] of Object.entries(SECONDS) as [keyof typeof SECONDS, number][]) {
      expect(remaining(name, { seconds })).toBe(9);
      expect(remaining({ seconds }, name)).toBe(9);
      expect(remaining({ seconds: seconds + 0.001 }, name)).toBeNull();
    }
    expect(remaining({ seconds: 90.5 }, { seconds: 90.5 })).toBe(9);
  });

  it("calendar windows are equal by period and zone, UTC by default; a calendar day is not 24 hours", () => {
    expect(remaining({ calendar: "day" }, { calendar: "day", timeZone: "UTC" })).toBe(9);
    expect(remaining({ calendar: "day", timeZone: undefined }, { calendar: "day" })).toBe(9);
    expect(remaining({ calendar: "day", timeZone: "Asia/Tokyo" }, { calendar: "day" })).toBeNull();
    expect(remaining({ calendar: "day" }, { calendar: "week" })).toBeNull();
    expect(remaining({ calendar: "day" }, "day")).toBeNull();
  });

  it("a window is required, except for concurrency", () => {
    expect(pathsOf({ dimension: "requests", limit: 1 })).toEqual(["quotas[0].window"]);
    expect(pathsOf({ dimension: "concurrency", limit: 1 })).toEqual([]);
  });

  it.each([
    [{ seconds: 0 }],
    [{ seconds: -1 }],
    [{ seconds: Number.NaN }],
    [{ seconds: Number.POSITIVE_INFINITY }],
    [{ seconds: "60" }],
    [{}],
    [{ calendar: "year" }],
    [{ calendar: "day", timeZone: "Mars/Olympus" }],
    [{ calendar: "day", timeZone: "" }],
    [{ calendar: "day", timeZone: null }],
    [{ calendar: "day", seconds: 60 }],
    [{ seconds: 60, timeZone: "UTC" }],
    ["month"],
    ["week"],
    [60],
    [null],
    [["minute"]],
  ])("%j is not a valid window", (window) => {
    const paths = pathsOf({ dimension: "requests", limit: 1, window });
    expect(paths.length).toBeGreaterThan(0);
    for (const path of paths) expect(path).toMatch(/^quotas\[0\]\.window/);
  });
});

describe("strategies", () => {
  it.each(["strategy", "burst", "resetEpochMs"])("a calendar window with %s is rejected", (key) => {
    const value = key === "strategy" ? "fixed_window" : 5;
    const quota = { dimension: "requests", limit: 1, window: { calendar: "day" }, [key]: value };
    expect(pathsOf(quota)).toEqual([`quotas[0].${key}`]);
  });

  it("burst is for token buckets only, and reset instants are for fixed windows only", () => {
    const quota = { dimension: "requests", limit: 1, window: "minute" };
    for (const strategy of [undefined, "sliding_window", "fixed_window"]) {
      expect(pathsOf({ ...quota, strategy, burst: 5 })).toEqual(["quotas[0].burst"]);
    }
    for (const strategy of [undefined, "sliding_window", "token_bucket"]) {
      expect(pathsOf({ ...quota, strategy, resetEpochMs: 5 })).toEqual(["quotas[0].resetEpochMs"]);
    }
    expect(pathsOf({ ...quota, strategy: "token_bucket", burst: 0 })).toEqual([]);
    expect(pathsOf({ ...quota, strategy: "fixed_window", resetEpochMs: -5e12 })).toEqual([]);
    for (const resetEpochMs of [Number.NaN, Number.POSITIVE_INFINITY, "2025-01-01", null]) {
      expect(pathsOf({ ...quota, strategy: "fixed_window", resetEpochMs })).toEqual(["quotas[0].resetEpochMs"]);
    }
  });

  it("options that concurrency cannot have are rejected", () => {
    for (const [key, value] of Object.entries({
      strategy: "sliding_window",
      burst: 5,
      resetEpochMs: 5,
      countsAtEnd: true,
    })) {
      expect(pathsOf({ dimension: "concurrency", limit: 1, [key]: value })).toEqual([`quotas[0].${key}`]);
    }
  });

  it("the remaining amount of a token bucket is relative to its burst", () => {
    const bucket = { dimension: "tokens", limit: 10, window: "minute", strategy: "token_bucket" } as const;
    const remaining = (burst: number | undefined) =>
      new GrateLimiter({ providers: [{ name: "a", quotas: [{ ...bucket, burst }] }] }).remainingQuota("a", "tokens");
    expect([remaining(undefined), remaining(25.9), remaining(3), remaining(0)]).toEqual([10, 25, 3, 0]);
  });
});
