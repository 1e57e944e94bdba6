import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GrateLimiter, MockClock, type QuotaConfig } from "../../../src/index.ts";

// exhaustedInMs is the time until the burn rate, evenly spread, fills the quota, including releases. null: never.
// Checked by experiment: a limiter with the same history is used at 2 % more and at 2 % less than that rate.

const EPOCH_MS = Date.UTC(2026, 5, 16, 9, 30);
const MARGIN = 0.02;
const STEPS = 400;
const WINDOWS_AHEAD = 2.2;

interface Use {
  readonly gapShare: number;
  readonly share: number;
}

interface Case {
  readonly name: string;
  readonly windowMs: number;
  readonly quota: QuotaConfig;
}

const LIMIT = 20_000;
const requests = { dimension: "requests", limit: LIMIT } as const;
const CASES: readonly Case[] = [
  { name: "a sliding minute", windowMs: 60_000, quota: { ...requests, window: "minute" } },
  { name: "a sliding second", windowMs: 1_000, quota: { ...requests, window: "second" } },
  { name: "a sliding day", windowMs: 86_400_000, quota: { ...requests, window: "day" } },
  {
    name: "a fixed window of its own phase",
    windowMs: 60_000,
    quota: { ...requests, window: "minute", strategy: "fixed_window" },
  },
  {
    name: "a fixed window with a known reset",
    windowMs: 60_000,
    quota: { ...requests, window: "minute", strategy: "fixed_window", resetEpochMs: EPOCH_MS + 12_345 },
  },
  {
    name: "a calendar day",
    windowMs: 86_400_000,
    quota: { ...requests, window: { calendar: "day", timeZone: "Asia/Kolkata" } },
  },
  { name: "a token bucket", windowMs: 60_000, quota: { ...requests, window: "minute", strategy: "token_bucket" } },
  {
    name: "a token bucket with a small burst",
    windowMs: 60_000,
    quota: { ...requests, window: "minute", strategy: "token_bucket", burst: LIMIT / 4 },
  },
];

function used(quota: QuotaConfig, windowMs: number, past: readonly Use[]) {
  const clock = new MockClock({ startMs: 5_000, epochMs: EPOCH_MS });
  const limiter = new GrateLimiter({ clock, providers: [{ name: "p", quotas: [quota] }] });
  const use = (amount: number) =>
    limiter.observe({ provider: "p", usage: { requests: amount }, outcome: { status: "success" } });
  for (const { gapShare, share } of past) {
    clock.advanceMs(Math.round(gapShare * windowMs));
    use(Math.round(share * LIMIT));
  }
  const forecast = () => limiter.forecast("p")![0]!;
  const remaining = () => limiter.remainingQuota("p", "requests");
  return { clock, use, forecast, remaining };
}

/** Returns, by experiment, the milliseconds until the quota is full if `burnPerSecond` is used in small amounts. */
function tried({ quota, windowMs }: Case, past: readonly Use[], burnPerSecond: number): number {
  const { clock, use, remaining } = used(quota, windowMs, past);
  const stepMs = windowMs / STEPS;
  let usedSoFar = 0;
  for (let step = 1; step <= STEPS * WINDOWS_AHEAD; step++) {
    clock.advanceMs(stepMs);
    const due = Math.floor((burnPerSecond * stepMs * step) / 1_000);
    use(due - usedSoFar);
    usedSoFar = due;
    if (remaining() === 0) return step * stepMs;
  }
  return Number.POSITIVE_INFINITY;
}

/** Throws unless the forecast lies between the results of slightly more and slightly less usage. */
function expectForetold(subject: Case, past: readonly Use[]): void {
  const { burnPerSecond, exhaustedInMs, remaining } = used(subject.quota, subject.windowMs, past).forecast();
  if (remaining === 0) {
    expect(exhaustedInMs).toBe(0);
    return;
  }
  const foretold = exhaustedInMs ?? Number.POSITIVE_INFINITY;
  const slackMs = (2 * subject.windowMs) / STEPS;
  const horizonMs = WINDOWS_AHEAD * subject.windowMs - slackMs;
  if (foretold < horizonMs) {
    expect(tried(subject, past, burnPerSecond * (1 + MARGIN))).toBeLessThanOrEqual(foretold + slackMs);
  }
  expect(tried(subject, past, burnPerSecond * (1 - MARGIN))).toBeGreaterThanOrEqual(
    Math.min(foretold, horizonMs) - slackMs,
  );
}

describe.each(CASES)("the forecast exhaustion of $name", (subject) => {
  // The rates cover the last half minute, so a long window only fills if much arrives within seconds.
  const secondsShare = Math.min(1, 10_000 / subject.windowMs);
  const gapShare = fc.oneof(
    fc.double({ min: 0, max: 0.2, noNaN: true }),
    fc.double({ min: 0, max: secondsShare / 4, noNaN: true }),
    fc.constantFrom(0, 0, 0.9, 1),
  );
  const recent = fc.array(
    fc.record({
      gapShare: fc.double({ min: 0, max: secondsShare / 20, noNaN: true }),
      share: fc.double({ min: 0, max: 0.02, noNaN: true }),
    }),
    { minLength: 2, maxLength: 20 },
  );
  const older = fc.array(fc.record({ gapShare, share: fc.double({ min: 0, max: 0.4, noNaN: true }) }), {
    maxLength: 8,
  });
  const scale = fc.constantFrom(1, 0.1, 0.01, 0.001);

  it("the forecast lies between the results of slightly more and slightly less usage", () => {
    fc.assert(
      fc.property(older, recent, scale, (before, last, shrink) => {
        expectForetold(subject, [...before, ...last.map((use) => ({ ...use, share: use.share * shrink }))]);
      }),
      { numRuns: 40 },
    );
  });

  it("the forecast is correct at a steady load, at any share of the limit", () => {
    // 400 amounts, as fast as possible at this rate, or 10 a second.
    const stepShare = Math.max(100 / subject.windowMs, 1 / LIMIT);
    for (const load of [0.3, 0.7, 0.9, 0.97, 1.03, 1.1, 1.5, 2, 4]) {
      expectForetold(
        subject,
        Array.from({ length: 400 }, () => ({ gapShare: stepShare / load, share: stepShare })),
      );
    }
  });
});

describe("quotas without a forecast", () => {
  it("a calendar day that resets before a rate can fill it is not forecast to be exhausted", () => {
    const foretoldAt = (perSecond: number) => {
      const clock = new MockClock({ epochMs: EPOCH_MS });
      const quotas = [{ dimension: "tokens", limit: 108_000, window: { calendar: "day" } }] as const;
      const limiter = new GrateLimiter({ clock, providers: [{ name: "p", quotas }] });
      for (let second = 0; second < 600; second++) {
        clock.advanceMs(1_000);
        limiter.observe({ provider: "p", usage: { tokens: perSecond }, outcome: { status: "success" } });
      }
      clock.advanceMs(500);
      return limiter.forecast("p")![0]!;
    };
    // 2 a second fill 108,000 in 15 hours, before or after midnight; 1 a second in 30 hours.
    const midnightMs = Date.UTC(2026, 5, 17) - EPOCH_MS - 600_500;
    expect(foretoldAt(2).exhaustedInMs).toBeGreaterThan(midnightMs);
    expect(foretoldAt(2).exhaustedInMs).toBeLessThan(midnightMs + 16 * 3_600_000);
    expect(foretoldAt(1).burnPerSecond).toBeCloseTo(1, 1);
    expect(foretoldAt(1).exhaustedInMs).toBeNull();
  });

  it("a concurrency limit, a single amount and an unused quota have no forecast exhaustion", () => {
    const clock = new MockClock();
    const limiter = new GrateLimiter({ clock, providers: [{ name: "p", limits: { rpm: 10, concurrency: 2 } }] });
    const foretold = () => limiter.forecast("p")?.map(({ exhaustedInMs }) => exhaustedInMs);
    expect(foretold()).toEqual([null, null]);
    limiter.observe({ provider: "p", usage: { requests: 9 }, outcome: { status: "success" } });
    expect(foretold()).toEqual([null, null]);
    limiter.observe({ provider: "p", outcome: { status: "success" } });
    expect(foretold()).toEqual([0, null]);
  });
});
