import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GrateLimiter, MockClock, type QuotaConfig } from "../../../src/index.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { propertyRuns } from "../../support/test-effort.ts";

// quota part = ratio x (1 - pressure), the minimum over the quotas
// pressure   = clamp((forecast - max(used, 0.85 ceiling)) / (0.15 ceiling), 0, 1)
// forecast   = used - (amounts that expire within H) + burn x H,  H = min(10 s, window / 6)

function pressed(quotas: readonly QuotaConfig[], startMs = 0) {
  const clock = new MockClock({ startMs });
  const limiter = new GrateLimiter({ clock, providers: [{ name: "p", quotas }], capabilities: { c: ["p"] } });
  const use = (requests = 1) => limiter.observe({ provider: "p", usage: { requests }, outcome: { status: "success" } });
  const part = () => limiter.select("c", { requests: 0 }).reasoning.quotaScore;
  const quota = () => limiter.forecast("p")![0]!;
  /** Remaining amount of the first quota. Cheaper than a forecast. */
  const { dimension, limit } = quotas[0]!;
  const ratio = () => 1 - (limit - limiter.remainingQuota("p", dimension)!) / limit;
  /** The pressure as far as the score shows it. A full quota shows none. */
  const pressure = () => (ratio() <= 0 ? 0 : 1 - part() / ratio());
  return { clock, limiter, use, part, quota, ratio, pressure };
}

function sliding(limit: number, windowMs: number): QuotaConfig {
  return { dimension: "requests", limit, window: { seconds: windowMs / 1_000 } };
}

/**
 * Returns the pressures before and after each of `count` evenly spaced requests a window, from the first full window
 * on.
 */
function* underSteadyLoad(count: number, limit: number, windowMs: number, fromMs: number, untilMs: number) {
  const { clock, use, pressure, limiter } = pressed([sliding(limit, windowMs)]);
  const stepMs = windowMs / count;
  for (let i = 1; i * stepMs < untilMs; i++) {
    const isSeen = i * stepMs >= fromMs;
    clock.set(i * stepMs);
    if (isSeen) yield pressure();
    if (limiter.select("c").waitMs === 0) use();
    if (isSeen) yield pressure();
  }
}

describe("the quota part of the score", () => {
  interface Use {
    readonly at: number;
    readonly amount: number;
  }

  function modelPart(uses: readonly Use[], now: number, limit: number, windowMs: number): number {
    const horizon = Math.min(10_000, windowMs / 6);
    const counted = (from: number) => uses.reduce((sum, { at, amount }) => (at > from ? sum + amount : sum), 0);
    // One amount presses no more than a full quota does.
    const burned = uses.map(({ at, amount }) => ({ at, amount: Math.min(amount, limit) }));
    const rate = (scale: number) =>
      burned.reduce((sum, { at, amount }) => sum + (amount / scale) * Math.exp((at - now) / 1_000 / scale), 0);
    const elapsed = uses.length === 0 ? 0 : (now - uses[0]!.at) / 1_000;
    const warm = Math.max(rate(3), burned.reduce((sum, { amount }) => sum + amount, 0) / Math.max(elapsed, 3));
    const burn = uses.length < 2 ? 0 : elapsed < 5 ? warm : (rate(3) + rate(30)) / 2;
    const used = counted(now - windowMs);
    const expiring = used - counted(now + horizon - windowMs);
    const forecast = used - expiring + (burn * horizon) / 1_000;
    const pressure = (forecast - Math.max(used, 0.85 * limit)) / (0.15 * limit);
    return Math.max(0, 1 - used / limit) * (1 - Math.min(1, Math.max(0, pressure)));
  }

  it("the quota part follows the formula for any usage, in windows of any length", () => {
    const windows = fc.constantFrom(2_000, 60_000, 3_600_000);
    // Further apart than the resolution of the window, so that the model does not depend on it.
    const uses = fc.array(
      fc.record({
        gapShare: fc.oneof(
          fc.double({ min: 0.002, max: 0.05, noNaN: true }),
          fc.double({ min: 0.05, max: 1.5, noNaN: true }),
        ),
        amount: fc.integer({ min: 1, max: 12 }),
      }),
      { minLength: 1, maxLength: 60 },
    );
    let calm = 0;
    let tense = 0;
    fc.assert(
      fc.property(windows, uses, fc.integer({ min: 5, max: 150 }), (windowMs, script, limit) => {
        const { clock, use, part } = pressed([sliding(limit, windowMs)]);
        const past: Use[] = [];
        for (const { gapShare, amount } of script) {
          clock.advanceMs(Math.ceil(gapShare * windowMs) + 0.5);
          const isAtSeam = past.length > 0 && Math.abs(clock.now() - past[0]!.at - 5_000) < 1;
          use(amount);
          past.push({ at: clock.now(), amount });
          const expected = modelPart(past, clock.now(), limit, windowMs);
          if (!isAtSeam && Math.abs(part() - expected) > 1e-9) expect(part()).toBe(expected);
          const left =
            1 - past.reduce((sum, { at, amount: a }) => (at > clock.now() - windowMs ? sum + a : sum), 0) / limit;
          if (left > 0 && expected < left * 0.999) tense++;
          else calm++;
        }
      }),
      { numRuns: propertyRuns(400) },
    );
    // Both regimes occurred.
    expect(Math.min(calm, tense)).toBeGreaterThan(30);
  });

  it("the quota part is the minimum over several quotas, and the limit of a token bucket is its burst", () => {
    const both = pressed([
      { dimension: "requests", limit: 100, window: "day" },
      { dimension: "requests", limit: 1_000, window: "minute", strategy: "token_bucket", burst: 40 },
    ]);
    both.use(30);
    expect(both.part()).toBeCloseTo(1 - 30 / 40, 12);
    both.clock.advanceMs(3_600_000);
    expect(both.part()).toBeCloseTo(1 - 30 / 100, 12);
  });

  it("the quota part is 0 for a limit of 0, and concurrency causes no pressure", () => {
    const none = pressed([{ dimension: "requests", limit: 0, window: "minute" }]);
    expect(none.part()).toBe(0);
    const counter = pressed([{ dimension: "concurrency", limit: 3 }]);
    for (let i = 0; i < 50; i++) counter.use();
    expect(counter.part()).toBe(1);
  });
});

describe("pressure of an evenly spaced load", () => {
  const windowMs = fc.oneof(
    fc.integer({ min: 1_000, max: 20_000 }),
    fc.integer({ min: 20_000, max: 600_000 }),
    fc.constantFrom(1_000, 60_000, 3_600_000, 86_400_000),
  );
  const count = fc.oneof(fc.constant(600), fc.integer({ min: 600, max: 3_000 }));

  it("pressure stays below 0.05 from 600 requests a window on, at any load", () => {
    fc.assert(
      fc.property(windowMs, count, fc.double({ min: 0.3, max: 1, noNaN: true }), (window, requests, load) => {
        const limit = Math.ceil(requests / load);
        let most = 0;
        const until = Math.max(2.2 * window, window + 12_000);
        for (const pressure of underSteadyLoad(requests, limit, window, window, Math.min(until, 8 * window))) {
          most = Math.max(most, pressure);
        }
        expect(most).toBeLessThan(0.05);
      }),
      { numRuns: propertyRuns(20) },
    );
  });

  it("pressure is exactly 0 up to 80 %, the first window included", () => {
    fc.assert(
      fc.property(windowMs, count, fc.double({ min: 0.1, max: 0.8, noNaN: true }), (window, requests, load) => {
        const limit = Math.ceil(requests / load);
        for (const pressure of underSteadyLoad(requests, limit, window, 0, 1.7 * window)) {
          if (pressure > 1e-12) expect(pressure).toBe(0);
        }
      }),
      { numRuns: propertyRuns(20) },
    );
  });

  it.each([1_000, 10_000, 60_000, 3_600_000, 86_400_000])(
    "pressure is at most 0.02 at a steady 95 percent, in a window of %d ms",
    (window) => {
      const warmMs = Math.max(window, 5_001);
      const seen = [...underSteadyLoad(950, 1_000, window, warmMs, warmMs + Math.max(window, 2_000))];
      expect(seen.length).toBeGreaterThan(1_800);
      expect(Math.max(...seen)).toBeLessThanOrEqual(0.02);
    },
  );

  it("pressure is about 0.10 on average at 95 % of 100 a minute with random arrivals", () => {
    // The seeds are fixed because this is a statement about a mean: 4 x 5 hours. A forecast without expiring amounts
    // would give 0.5.
    for (const seed of [1, 2, 3, 4]) {
      const { clock, use, pressure, limiter } = pressed([sliding(100, 60_000)]);
      const random = seededRandom(seed);
      let sum = 0;
      let seen = 0;
      while (clock.now() < 5 * 3_600_000) {
        clock.advanceMs((-Math.log(1 - random()) * 60_000) / 95);
        // The pressure that a decision sees: when a request arrives and capacity exists.
        const hasRoom = limiter.select("c").waitMs === 0;
        if (hasRoom && clock.now() > 120_000) {
          sum += pressure();
          seen++;
        }
        if (hasRoom) use();
      }
      expect(sum / seen, `seed ${seed}`).toBeLessThan(0.12);
      expect(sum / seen, `seed ${seed}`).toBeGreaterThan(0.03);
    }
  });
});

describe("pressure of a burst that will fill the window", () => {
  it.each([
    [600, 60_000, 50],
    [1_000, 10_000, 400],
    [10_000, 3_600_000, 800],
  ])("pressure is near 1 while a third of %d per %d ms remains, at %d a second", (limit, window, perSecond) => {
    const { clock, use, pressure, quota } = pressed([sliding(limit, window)], 1_000_000);
    while (quota().remaining > limit / 3) {
      clock.advanceMs(1_000 / perSecond);
      use();
    }
    expect(pressure()).toBeGreaterThan(0.95);
  });

  it("pressure is low again after the burst, although nothing was released", () => {
    const { clock, use, pressure, quota } = pressed([sliding(600, 60_000)]);
    for (let i = 0; i < 400; i++) {
      clock.advanceMs(20);
      use();
    }
    expect(pressure()).toBeGreaterThan(0.95);
    clock.advanceMs(40_000);
    expect(quota().used).toBe(400);
    expect(pressure()).toBeCloseTo(0, 12);
  });
});
