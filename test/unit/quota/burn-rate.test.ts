import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GrateLimiter, MockClock } from "../../../src/index.ts";
import { BurnRate } from "../../../src/quota/burn-rate.ts";

// burn = (r_3s + r_30s) / 2. Each rate is a sum over all amounts: a / T x e^(-age / T). In the first 5 s after the
// first amount: max(r_3s, sum / max(elapsed, 3 s)). 0 until a second amount.

interface Use {
  readonly at: number;
  readonly amount: number;
}

function modelBurn(uses: readonly Use[], now: number): number {
  const [first] = uses;
  if (first === undefined || uses.length < 2) return 0;
  const rate = (scale: number) =>
    uses.reduce((sum, { at, amount }) => sum + (amount / scale) * Math.exp((at - now) / 1_000 / scale), 0);
  const elapsed = (now - first.at) / 1_000;
  if (elapsed >= 5) return (rate(3) + rate(30)) / 2;
  return Math.max(rate(3), uses.reduce((sum, { amount }) => sum + amount, 0) / Math.max(elapsed, 3));
}

function burning(startMs = 0) {
  const clock = new MockClock({ startMs });
  const limiter = new GrateLimiter({ clock, providers: [{ name: "p", limits: { rpm: 1e9, tpd: 1e12 } }] });
  const use = (requests: number, tokens = 0) =>
    limiter.observe({ provider: "p", usage: { requests, tokens }, outcome: { status: "success" } });
  const burn = (quota = 0) => limiter.forecast("p")![quota]!.burnPerSecond;
  return { clock, limiter, use, burn };
}

function expectNear(actual: number, expected: number): void {
  if (Math.abs(actual - expected) > 1e-9 * Math.max(1e-6, expected)) expect(actual).toBe(expected);
}

describe("the burn rate", () => {
  const gap = fc.oneof(
    fc.double({ min: 0.001, max: 400, noNaN: true }),
    fc.integer({ min: 1, max: 60_000 }),
    fc.constantFrom(0, 0, 3_000, 4_999, 600_000),
  );
  const amount = fc.oneof(fc.integer({ min: 0, max: 20 }), fc.constantFrom(1_000_000));
  const events = fc.array(fc.record({ gap, amount, isRead: fc.boolean() }), { minLength: 1, maxLength: 60 });

  it("the burn rate is the mean of two exponential rates, warmed up over 5 s, at any time of reading", () => {
    fc.assert(
      fc.property(events, fc.constantFrom(0, 12_345.678, 1.7e12), (script, startMs) => {
        const { clock, use, burn } = burning(startMs);
        const uses: Use[] = [];
        for (const { gap: ms, amount: requests, isRead } of script) {
          clock.advanceMs(ms);
          use(requests);
          if (requests > 0) uses.push({ at: clock.now(), amount: requests });
          // At the instant at which the formula changes, rounding decides which one applies.
          const isAtSeam = uses.length > 0 && Math.abs(clock.now() - uses[0]!.at - 5_000) < 0.01;
          if (isRead && !isAtSeam) expectNear(burn(), modelBurn(uses, clock.now()));
        }
        clock.advanceMs(6_000);
        expectNear(burn(), modelBurn(uses, clock.now()));
      }),
      { numRuns: 300 },
    );
  });

  it.each([0, 1, 60_000, 86_400_000])("the burn rate is 0 until a second amount, also after %d ms", (ms) => {
    const { clock, use, burn } = burning();
    expect(burn()).toBe(0);
    use(1_000);
    clock.advanceMs(ms);
    expect(burn()).toBe(0);
    use(0);
    expect(burn()).toBe(0);
    use(1);
    expect(burn()).toBeGreaterThan(0);
  });

  it("several amounts at one instant count as the usage of 3 s, not as an infinite rate", () => {
    const { use, burn } = burning();
    for (let i = 0; i < 30; i++) use(1);
    expect(burn()).toBeCloseTo(10, 12);
  });

  it("the burn rate settles at a steady rate and decays when the load ends", () => {
    const { clock, use, burn } = burning();
    for (let i = 0; i < 3_000; i++) {
      clock.advanceMs(200);
      use(1);
    }
    expect(Math.abs(burn() - 5)).toBeLessThan(0.1 * 5);
    clock.advanceMs(100);
    expect(Math.abs(burn() - 5)).toBeLessThan(0.02 * 5);
    clock.advanceMs(180_000);
    expect(burn()).toBeLessThan(0.01 * 5);
    expect(burn()).toBeGreaterThan(0);
  });

  it("each quota has its own burn rate", () => {
    const { clock, use, burn } = burning();
    for (let i = 0; i < 100; i++) {
      clock.advanceMs(1_000);
      use(i % 10 === 0 ? 1 : 0, 500);
    }
    expect(burn(0)).toBeLessThan(0.2);
    expect(burn(1)).toBeGreaterThan(400);
  });

  it("the burn rate is never negative, infinite or NaN, for any usage at any age", () => {
    const { clock, use, burn } = burning();
    use(1);
    for (const ms of [0, 0.001, 1e-12, 5_000, 3.2e10, 1e15]) {
      clock.advanceMs(ms);
      use(Number.MAX_SAFE_INTEGER);
      expect(burn()).toBeGreaterThan(0);
      expect(Number.isFinite(burn())).toBe(true);
      clock.advanceMs(1e12);
      expect(burn()).toBeGreaterThanOrEqual(0);
    }
  });
});

describe("amounts that are returned", () => {
  const step = fc.record({
    gap: fc.oneof(fc.nat(50), fc.nat(4_000), fc.nat(60_000)),
    amount: fc.integer({ min: 1, max: 1_000 }),
    // The part of an earlier amount that turns out to be unused.
    back: fc.constantFrom(0, 0, 0.01, 0.5, 1),
  });

  it("after returned amounts the burn rate exceeds the bound at no instant", () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), fc.array(fc.nat(40_000)), (steps, looks) => {
        const burn = new BurnRate();
        const taken: number[] = [];
        let now = 0;
        for (const { gap, amount, back } of steps) {
          now += gap;
          const earlier = back > 0 ? taken.shift() : undefined;
          if (earlier === undefined) taken.push(amount);
          burn.count(earlier === undefined ? amount : -earlier * back, now);
          for (const look of [0, ...looks]) {
            expect(burn.perSecond(now + look)).toBeLessThanOrEqual(burn.bound * (1 + 1e-12));
          }
        }
      }),
    );
  });

  it("a load that always reserves slightly too much keeps the burn rate of its real usage", () => {
    const careful = new BurnRate();
    const exact = new BurnRate();
    for (let now = 0; now < 60_000; now += 100) {
      careful.count(1_000, now);
      careful.count(-10, now);
      exact.count(990, now);
    }
    expect(careful.perSecond(60_000)).toBeCloseTo(exact.perSecond(60_000), 6);
  });

  it("after all amounts are returned the burn rate is 0", () => {
    const burn = new BurnRate();
    for (const amount of [4_000, 4_000, -3_900, -3_900]) burn.count(amount, 0);
    expect(burn.perSecond(10_000)).toBeLessThan(50);
    burn.count(10, 20_000);
    burn.count(10, 20_000);
    expect(burn.perSecond(20_000)).toBeLessThan(20);
  });
});
