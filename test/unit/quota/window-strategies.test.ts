import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { everyWindow } from "../../../src/clock/reset-schedule.ts";
import { GrateLimiter, MockClock, type QuotaConfig } from "../../../src/index.ts";
import { FixedWindow } from "../../../src/quota/fixed-window.ts";
import { propertyRuns } from "../../support/test-effort.ts";
import { fixedWindowServer, type Server, TICKS_PER_MS, tokenBucketServer } from "../../support/window-servers.ts";

// Each strategy against the server that it is meant for, through the public API, and the exactness of waitMs for all of
// them.

const EPOCH_MS = Date.UTC(2026, 2, 7, 12, 0, 0, 250);
const MINUTE = 60_000;
const DAY = 86_400_000;

function asking(quota: QuotaConfig, startMs = 3_000) {
  const clock = new MockClock({ startMs, epochMs: EPOCH_MS + startMs });
  const limiter = new GrateLimiter({ clock, providers: [{ name: "p", quotas: [quota] }], capabilities: { c: ["p"] } });
  const waitMs = (requests: number) => limiter.select("c", { requests }).waitMs!;
  const use = (requests: number) =>
    limiter.observe({ provider: "p", usage: { requests }, outcome: { status: "success" } });
  const remaining = () => limiter.remainingQuota("p", "requests")!;
  return { clock, limiter, waitMs, use, remaining };
}

const requests = (limit: number) => ({ dimension: "requests", limit }) as const;

const QUOTAS: readonly [name: string, windowMs: number, quota: (limit: number) => QuotaConfig][] = [
  ["sliding_window", MINUTE, (limit) => ({ ...requests(limit), window: "minute" })],
  ["token_bucket", MINUTE, (limit) => ({ ...requests(limit), window: "minute", strategy: "token_bucket" })],
  [
    "token_bucket with a burst",
    MINUTE,
    (limit) => ({ ...requests(3 * limit), window: "minute", strategy: "token_bucket", burst: limit }),
  ],
  ["fixed_window", MINUTE, (limit) => ({ ...requests(limit), window: "minute", strategy: "fixed_window" })],
  [
    "fixed_window with a known reset",
    MINUTE,
    (limit) => ({ ...requests(limit), window: "minute", strategy: "fixed_window", resetEpochMs: EPOCH_MS - 17_003 }),
  ],
  [
    "a calendar day",
    DAY,
    (limit) => ({ ...requests(limit), window: { calendar: "day", timeZone: "America/New_York" } }),
  ],
];

describe.each(QUOTAS)("the window %s", (_, windowMs, quota) => {
  const step = fc.record({
    gapShare: fc.oneof(fc.double({ min: 0, max: 0.2, noNaN: true }), fc.constantFrom(0, 0, 1, 1.5)),
    amount: fc.integer({ min: 1, max: 9 }),
  });

  it("waitMs is exact to the millisecond", () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 40 }), (steps, limit) => {
        const { clock, waitMs, use, remaining } = asking(quota(limit));
        for (const { gapShare, amount } of steps) {
          clock.advanceMs(Math.floor(gapShare * windowMs));
          const needed = Math.min(amount, limit);
          const wait = waitMs(needed);
          expect(Number.isInteger(wait) && wait >= 0).toBe(true);
          expect(wait === 0).toBe(remaining() >= needed);
          if (wait > 0) {
            clock.advanceMs(wait - 1);
            expect(remaining()).toBeLessThan(needed);
            expect(waitMs(needed)).toBe(1);
            clock.advanceMs(1);
          }
          expect(waitMs(needed)).toBe(0);
          expect(remaining()).toBeGreaterThanOrEqual(needed);
          use(needed);
        }
      }),
      { numRuns: propertyRuns(100) },
    );
  });

  it("usage above the limit is gone after its release", () => {
    const { clock, waitMs, use, remaining } = asking(quota(10));
    use(17);
    expect(remaining()).toBe(0);
    clock.advanceMs(waitMs(10));
    expect(remaining()).toBe(10);
  });
});

describe("a strategy against its server", () => {
  const gap = fc.oneof(
    fc.integer({ min: 0, max: 3_000 }),
    fc.constantFrom(0, 0, 0, MINUTE - 1, MINUTE, MINUTE + 1, 10 * MINUTE),
  );
  const calls = fc.array(fc.record({ gap, amount: fc.integer({ min: 1, max: 6 }) }), { minLength: 5, maxLength: 200 });
  const MS = TICKS_PER_MS;

  /** Sends whenever the limiter or the server has capacity, and expects both to agree. */
  function expectOneMind(quota: QuotaConfig, server: Server, script: readonly { gap: number; amount: number }[]): void {
    const { clock, waitMs, use } = asking(quota);
    for (const { gap: ms, amount } of script) {
      clock.advanceMs(ms);
      const hasRoom = waitMs(amount) === 0;
      const accepted = server.accepts(amount, clock.now() * MS);
      expect(`${clock.now()}: ${hasRoom}`).toBe(`${clock.now()}: ${accepted}`);
      if (hasRoom) use(amount);
    }
  }

  it("a token bucket knows exactly the remaining amount of an equal server bucket", () => {
    fc.assert(
      fc.property(calls, fc.integer({ min: 6, max: 100 }), fc.integer({ min: 6, max: 120 }), (script, limit, burst) => {
        const quota: QuotaConfig = { ...requests(limit), window: "minute", strategy: "token_bucket", burst };
        expectOneMind(quota, tokenBucketServer(limit, MINUTE * MS, burst), script);
      }),
      { numRuns: propertyRuns(200) },
    );
  });

  it("a fixed window with a known reset uses the whole limit of its server", () => {
    fc.assert(
      fc.property(
        calls,
        fc.integer({ min: 6, max: 60 }),
        fc.integer({ min: -10 * DAY, max: 10 * DAY }),
        (script, limit, offset) => {
          const resetEpochMs = EPOCH_MS + offset;
          const quota: QuotaConfig = { ...requests(limit), window: "minute", strategy: "fixed_window", resetEpochMs };
          expectOneMind(quota, fixedWindowServer(limit, MINUTE * MS, offset * MS), script);
        },
      ),
      { numRuns: propertyRuns(200) },
    );
  });

  it("a fixed window without a known reset starts at its declaration and moves by whole windows", () => {
    fc.assert(
      fc.property(calls, fc.integer({ min: 6, max: 60 }), (script, limit) => {
        const quota: QuotaConfig = { ...requests(limit), window: "minute", strategy: "fixed_window" };
        expectOneMind(quota, fixedWindowServer(limit, MINUTE * MS, 3_000 * MS), script);
      }),
      { numRuns: propertyRuns(200) },
    );
  });

  it("a calendar day is that of its time zone, also if it has 23 hours", () => {
    const { clock, use, remaining } = asking({
      ...requests(5),
      window: { calendar: "day", timeZone: "America/New_York" },
    });
    // 2026-03-08 in New York: from 05:00Z to 04:00Z of the 9th.
    const at = (iso: string) => clock.set(Date.parse(iso) - EPOCH_MS);
    at("2026-03-08T04:59:59.999Z");
    use(5);
    at("2026-03-08T05:00:00.000Z");
    expect(remaining()).toBe(5);
    use(5);
    at("2026-03-09T03:59:59.999Z");
    expect(remaining()).toBe(0);
    at("2026-03-09T04:00:00.000Z");
    expect(remaining()).toBe(5);
  });
});

it("a copy of a fixed window keeps its start", () => {
  const tracker = new FixedWindow(10, everyWindow(0, 1_000), 0);
  tracker.record(5, 500);
  tracker.record(3, 1_200);
  const copy = tracker.copy();
  copy.amend(-5, 500, 1_300);
  expect([copy.used(1_300), tracker.used(1_300)]).toEqual([3, 3]);
});
