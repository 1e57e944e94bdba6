import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GrateLimiter, MockClock, type QuotaConfig, type QuotaForecast } from "../../../src/index.ts";

// Every field of forecast(name) is compared with a model that keeps every amount ever used.

const START_MS = 7_000;
const EPOCH_MS = Date.UTC(2026, 9, 24, 20);

interface Use {
  readonly at: number;
  readonly amount: number;
}

/** The usage of a quota at `now`, kept as a list. */
type Counted = (uses: readonly Use[], now: number) => number;

const total = (uses: readonly Use[]): number => uses.reduce((sum, { amount }) => sum + amount, 0);

const slidingOver =
  (windowMs: number): Counted =>
  (uses, now) =>
    total(uses.filter(({ at }) => at > now - windowMs));

/** Fixed windows, one of which starts at `anchorMs`. */
const fixedFrom =
  (anchorMs: number, windowMs: number): Counted =>
  (uses, now) => {
    const windowOf = (at: number) => Math.floor((at - anchorMs) / windowMs);
    return total(uses.filter(({ at }) => windowOf(at) === windowOf(now)));
  };

const bucketOf =
  (limit: number, windowMs: number, burst: number): Counted =>
  (uses, now) => {
    let level = burst;
    let last = START_MS;
    for (const { at, amount } of [...uses, { at: now, amount: 0 }]) {
      level = Math.min(burst, level + ((at - last) * limit) / windowMs) - amount;
      last = at;
    }
    // The sum can round to just below a whole token.
    return burst - Math.floor(level + 1e-9);
  };

interface Case {
  readonly name: string;
  readonly quota: QuotaConfig;
  readonly windowMs: number;
  readonly counted: Counted;
}

const LIMIT = 60;
const DAY_MS = 86_400_000;
const base = { dimension: "requests", limit: LIMIT } as const;
const RESET_MS = EPOCH_MS - 3_600_000;
const CASES: readonly Case[] = [
  { name: "a sliding minute", quota: { ...base, window: "minute" }, windowMs: 60_000, counted: slidingOver(60_000) },
  {
    name: "a sliding window of 2.5 s",
    quota: { ...base, window: { seconds: 2.5 } },
    windowMs: 2_500,
    counted: slidingOver(2_500),
  },
  {
    name: "a fixed window from its declaration",
    quota: { ...base, window: "minute", strategy: "fixed_window" },
    windowMs: 60_000,
    counted: fixedFrom(START_MS, 60_000),
  },
  {
    name: "a fixed window with a known reset",
    quota: { ...base, window: "minute", strategy: "fixed_window", resetEpochMs: RESET_MS + 4_321 },
    windowMs: 60_000,
    counted: fixedFrom(START_MS + (RESET_MS - EPOCH_MS) + 4_321, 60_000),
  },
  {
    name: "a calendar day",
    quota: { ...base, window: { calendar: "day" } },
    windowMs: DAY_MS,
    counted: fixedFrom(START_MS + 4 * 3_600_000, DAY_MS),
  },
  {
    name: "a token bucket",
    quota: { ...base, window: "minute", strategy: "token_bucket" },
    windowMs: 60_000,
    counted: bucketOf(LIMIT, 60_000, LIMIT),
  },
  {
    name: "a token bucket with a burst",
    quota: { ...base, window: "minute", strategy: "token_bucket", burst: 25 },
    windowMs: 60_000,
    counted: bucketOf(LIMIT, 60_000, 25),
  },
];

const FIELDS = [
  ...["dimension", "window", "pool", "limit", "ceiling", "ceilingSource", "used", "inFlight", "remaining"],
  ...["burnPerSecond", "exhaustedInMs", "nextReleaseInMs", "nextReleaseAmount", "inHand"],
];

/**
 * Returns the first whole millisecond, of the next instants of possible change, at which `counted` falls. null: never.
 */
function walkedRelease(
  counted: Counted,
  uses: readonly Use[],
  now: number,
  windowMs: number,
): [ms: number, by: number] | null {
  const used = counted(uses, now);
  if (used === 0) return null;
  let low = 0;
  let high = 1;
  while (counted(uses, now + high) >= used) high *= 2;
  // Usage only falls here, so a binary search finds the first fall.
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (counted(uses, now + middle) < used) high = middle;
    else low = middle;
  }
  expect(high).toBeLessThanOrEqual(20 * windowMs);
  return [high, used - counted(uses, now + high)];
}

function forecastOf(quota: QuotaConfig, uses: readonly Use[], now: number): QuotaForecast {
  const clock = new MockClock({ startMs: START_MS, epochMs: EPOCH_MS });
  const limiter = new GrateLimiter({ clock, providers: [{ name: "p", quotas: [quota] }] });
  for (const { at, amount } of uses) {
    clock.set(at);
    limiter.observe({ provider: "p", usage: { requests: amount }, outcome: { status: "success" } });
  }
  clock.set(now);
  const forecast = limiter.forecast("p");
  expect(forecast).toHaveLength(1);
  return forecast![0]!;
}

describe.each(CASES)("the forecast of $name", ({ quota, windowMs, counted }) => {
  // Whole milliseconds, further apart than the resolution of the sliding window.
  const apart = Math.ceil(windowMs / 400);
  const gap = fc.oneof(
    fc.integer({ min: apart, max: Math.ceil(windowMs / 10) }),
    fc.constantFrom(windowMs, windowMs - 1, windowMs + 1, 3 * windowMs),
  );
  const events = fc.array(fc.record({ gap, amount: fc.integer({ min: 0, max: 9 }) }), { maxLength: 40 });

  it("the forecast contains the usage, the remaining amount and the next release", () => {
    fc.assert(
      fc.property(events, fc.nat(windowMs), (script, rest) => {
        let now = START_MS;
        const uses = script.map(({ gap: ms, amount }) => {
          now += ms;
          return { at: now, amount };
        });
        now += rest;
        // The debt of a bucket beyond one burst is not part of the forecast.
        if (quota.dimension !== "concurrency" && quota.burst !== undefined && counted(uses, now) > 2 * quota.burst)
          return;
        const forecast = forecastOf(quota, uses, now);
        const used = counted(uses, now);
        const ceiling = (quota.dimension !== "concurrency" ? quota.burst : undefined) ?? LIMIT;
        const release = walkedRelease(counted, uses, now, windowMs);
        expect(forecast).toMatchObject({
          ...{
            dimension: "requests",
            window: "window" in quota ? quota.window : null,
            pool: null,
            limit: LIMIT,
            ceiling,
          },
          ...{ ceilingSource: "config", used, inFlight: 0, remaining: Math.max(0, ceiling - used) },
          ...{ nextReleaseInMs: release?.[0] ?? null, nextReleaseAmount: release?.[1] ?? 0 },
        });
        expect(Object.keys(forecast).sort()).toEqual([...FIELDS].sort());
        expect(JSON.parse(JSON.stringify(forecast))).toStrictEqual(forecast);
      }),
      { numRuns: 100 },
    );
  });
});

describe("the bucket of the classic profile", () => {
  it("the next release is exact to the millisecond, although the bucket adds floats", () => {
    const step = fc.record({ gapMs: fc.integer({ min: 0, max: 3_000 }), amount: fc.integer({ min: 0, max: 9 }) });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 30 }), fc.integer({ min: 1, max: 60 }), (steps, limit) => {
        const forecastAfter = (ms: number) => {
          const clock = new MockClock();
          const quotas = [{ dimension: "requests", limit, window: "minute" }] as const;
          const limiter = new GrateLimiter({ clock, profile: "classic", providers: [{ name: "p", quotas }] });
          for (const { gapMs, amount } of steps) {
            clock.advanceMs(gapMs);
            limiter.observe({ provider: "p", usage: { requests: amount }, outcome: { status: "success" } });
          }
          const now = limiter.forecast("p")![0]!;
          clock.advanceMs(ms);
          return ms === 0 ? now : limiter.forecast("p")![0]!;
        };
        const { used, nextReleaseInMs: inMs, nextReleaseAmount: amount } = forecastAfter(0);
        expect(inMs === null).toBe(used === 0);
        if (inMs === null) return;
        expect(forecastAfter(inMs).used).toBe(used - amount);
        if (inMs > 1) expect(forecastAfter(inMs - 1).used).toBe(used);
        expect(amount).toBeGreaterThan(0);
      }),
      { numRuns: 300 },
    );
  });
});

describe("forecast", () => {
  it("forecast lists limits, then quotas, then each pool once, each with its own values", () => {
    const clock = new MockClock();
    const limiter: GrateLimiter = new GrateLimiter({
      clock,
      pools: {
        org: { limits: { tpm: 700 }, quotas: [{ dimension: "requests", limit: 70, window: { seconds: 7 } }] },
        unused: { limits: { rpm: 1 } },
        ip: { limits: { rps: 5 } },
      },
      providers: [
        {
          name: "p",
          limits: { concurrency: 3, rpm: 10 },
          quotas: [
            { dimension: "requests", limit: 20, window: "minute" },
            { dimension: "bytes", limit: 30.9, window: { calendar: "month", timeZone: "Asia/Kolkata" } },
          ],
          pools: ["ip", "org", "ip"],
        },
        { name: "q", pools: ["org"] },
      ],
    });
    limiter.observe({ provider: "p", usage: { requests: 4, tokens: 100 }, outcome: { status: "success" } });
    limiter.observe({ provider: "q", usage: { requests: 3, tokens: 50 }, outcome: { status: "success" } });
    const summary = (name: string) =>
      limiter.forecast(name)?.map(({ dimension, window, pool, limit, used }) => [dimension, window, pool, limit, used]);
    expect(summary("p")).toEqual([
      ["requests", "minute", null, 10, 4],
      ["concurrency", null, null, 3, 0],
      ["requests", "minute", null, 20, 4],
      ["bytes", { calendar: "month", timeZone: "Asia/Kolkata" }, null, 30, 0],
      ["requests", "second", "ip", 5, 4],
      ["tokens", "minute", "org", 700, 150],
      ["requests", { seconds: 7 }, "org", 70, 7],
    ]);
    expect(summary("q")).toEqual([
      ["tokens", "minute", "org", 700, 150],
      ["requests", { seconds: 7 }, "org", 70, 7],
    ]);
    expect(limiter.inspect().providers.map(({ quotas }) => quotas)).toEqual([
      limiter.forecast("p"),
      limiter.forecast("q"),
    ]);
  });

  it("forecast returns null for an unknown provider and an empty list for one without limits", () => {
    const limiter: GrateLimiter = new GrateLimiter({ providers: [{ name: "free" }] });
    expect(limiter.forecast("nobody")).toBeNull();
    expect(limiter.forecast("free")).toEqual([]);
  });

  it("a returned forecast never changes, and changing it does not change the limiter", () => {
    const clock = new MockClock();
    const window = { seconds: 60 };
    const limiter: GrateLimiter = new GrateLimiter({
      clock,
      providers: [{ name: "p", quotas: [{ dimension: "requests", limit: 9, window }] }],
    });
    const before = limiter.forecast("p")!;
    const asTold = JSON.stringify(before);
    limiter.observe({ provider: "p", usage: { requests: 5 }, outcome: { status: "success" } });
    window.seconds = 1;
    clock.advanceMs(30_000);
    expect(JSON.stringify(before)).toBe(asTold);
    const returned = limiter.forecast("p")![0]! as { used: number };
    try {
      returned.used = 0;
    } catch {
      // A frozen object would be correct, too.
    }
    expect(limiter.forecast("p")?.[0]).toMatchObject({ used: 5, window: { seconds: 60 } });
  });

  it("forecast agrees with waitMs: released usage becomes capacity", () => {
    const clock = new MockClock();
    const limiter: GrateLimiter = new GrateLimiter({
      clock,
      providers: [{ name: "p", limits: { rpm: 3 } }],
      capabilities: { c: ["p"] },
    });
    for (let i = 0; i < 3; i++) {
      limiter.observe({ provider: "p", outcome: { status: "success" } });
      clock.advanceMs(10_000);
    }
    const forecast = limiter.forecast("p")![0]!;
    expect(forecast).toMatchObject({ remaining: 0, exhaustedInMs: 0, nextReleaseInMs: 30_000, nextReleaseAmount: 1 });
    expect(limiter.select("c").waitMs).toBe(forecast.nextReleaseInMs);
    clock.advanceMs(30_000);
    expect(limiter.select("c").waitMs).toBe(0);
  });
});
