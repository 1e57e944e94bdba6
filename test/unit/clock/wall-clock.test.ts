import { afterEach, describe, expect, it, vi } from "vitest";
import { type Clock, GrateLimiter, MockClock, type QuotaConfig } from "../../../src/index.ts";

// Windows that depend on the wall clock (calendar windows and fixed windows with a known reset) while that clock is
// set, jumps, or is wrong. The limiter must follow it within a minute of its own time.

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const MIDNIGHT = Date.UTC(2026, 5, 16);
const NOTICED = MINUTE;

/** Two clocks that move together until the wall clock is set. */
class TwoClocks implements Clock {
  monotonicMs = 1_000;
  wallMs: number;

  constructor(wallMs: number) {
    this.wallMs = wallMs;
  }

  now(): number {
    return this.monotonicMs;
  }

  epochNow(): number {
    return this.wallMs;
  }

  advanceMs(ms: number): void {
    this.monotonicMs += ms;
    this.wallMs += ms;
  }
}

const WALL_RULED: readonly [name: string, quota: QuotaConfig][] = [
  ["a calendar day", { dimension: "requests", limit: 10, window: { calendar: "day" } }],
  ["a known reset, in the past", fixed(MIDNIGHT - 400 * DAY)],
  ["a known reset, in the future", fixed(MIDNIGHT + 3 * DAY)],
];

function fixed(resetEpochMs: number): QuotaConfig {
  return { dimension: "requests", limit: 10, window: "day", strategy: "fixed_window", resetEpochMs };
}

function started(quota: QuotaConfig, wallMs: number) {
  const clock = new TwoClocks(wallMs);
  const limiter = new GrateLimiter({ clock, providers: [{ name: "p", quotas: [quota] }] });
  const use = (requests: number) => limiter.observe({ provider: "p", usage: { requests }, outcome: { status: 200 } });
  const left = () => limiter.remainingQuota("p", "requests");
  return { clock, limiter, use, left };
}

describe.each(WALL_RULED)("%s", (_, quota) => {
  it("the window resets exactly at midnight every day, and its whole quota can be used", () => {
    const { clock, use, left, limiter } = started(quota, MIDNIGHT - 2);
    for (let day = 0; day < 5; day++) {
      use(10);
      expect(left()).toBe(0);
      expect(limiter.forecast("p")?.[0]).toMatchObject({ nextReleaseAmount: 10, nextReleaseInMs: day === 0 ? 2 : DAY });
      clock.advanceMs(day === 0 ? 1 : DAY - 1);
      expect(left()).toBe(0);
      clock.advanceMs(1);
      expect(left()).toBe(10);
    }
  });

  it("the window is empty after years without calls", () => {
    const { clock, use, left } = started(quota, MIDNIGHT - HOUR);
    use(10);
    clock.advanceMs(7 * 365 * DAY + HOUR);
    expect(left()).toBe(10);
    use(4);
    clock.advanceMs(DAY - 1);
    expect(left()).toBe(6);
    clock.advanceMs(1);
    expect(left()).toBe(10);
  });

  it("the window follows a wall clock that is set forward", () => {
    const { clock, use, left } = started(quota, MIDNIGHT - 3 * HOUR);
    use(7);
    clock.wallMs += 2 * HOUR;
    clock.advanceMs(HOUR - 1);
    expect(left()).toBe(3);
    clock.advanceMs(1);
    expect(left()).toBe(10);
  });

  it("the window follows a wall clock that is set back", () => {
    const { clock, use, left } = started(quota, MIDNIGHT - HOUR);
    use(7);
    clock.wallMs -= 2 * HOUR;
    clock.advanceMs(NOTICED);
    left();
    clock.advanceMs(3 * HOUR - NOTICED - 1);
    expect(left()).toBe(3);
    clock.advanceMs(1);
    expect(left()).toBe(10);
  });

  it("the window does not reset a second time if the wall clock is set back over midnight", () => {
    const { clock, use, left } = started(quota, MIDNIGHT - HOUR);
    use(10);
    clock.advanceMs(HOUR + 10 * MINUTE);
    expect(left()).toBe(10);
    use(8);
    clock.wallMs -= 30 * MINUTE;
    clock.advanceMs(40 * MINUTE);
    expect(left()).toBe(2);
    clock.advanceMs(DAY - 20 * MINUTE);
    expect(left()).toBe(10);
  });

  it("the window is not blocked for ever by a wall clock that was years ahead and is corrected", () => {
    const { clock, use, left } = started(quota, MIDNIGHT + 5 * 365 * DAY - HOUR);
    use(10);
    clock.wallMs = MIDNIGHT - HOUR;
    clock.advanceMs(NOTICED);
    left();
    clock.advanceMs(2 * DAY);
    expect(left()).toBe(10);
  });

  it("the window follows within a minute if the monotonic clock stopped during sleep", () => {
    const { clock, use, left } = started(quota, MIDNIGHT - HOUR);
    use(10);
    clock.wallMs += 8 * HOUR;
    clock.advanceMs(NOTICED);
    expect(left()).toBe(10);
  });

  it("the window does not reset if a sleep ends before midnight", () => {
    const { clock, use, left } = started(quota, MIDNIGHT - 9 * HOUR);
    use(10);
    clock.wallMs += 8 * HOUR;
    clock.advanceMs(NOTICED);
    expect(left()).toBe(0);
    clock.advanceMs(HOUR - NOTICED - 1);
    expect(left()).toBe(0);
    clock.advanceMs(1);
    expect(left()).toBe(10);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, undefined, null])(
    "if the wall clock returns %s, its last valid reading is used",
    (nonsense) => {
      const { clock, use, left, limiter } = started(quota, MIDNIGHT - 2 * HOUR);
      use(10);
      clock.epochNow = () => nonsense as number;
      clock.advanceMs(2 * HOUR - 1);
      expect(left()).toBe(0);
      expect(limiter.forecast("p")?.[0]?.nextReleaseInMs).toBe(1);
      clock.advanceMs(1);
      expect(left()).toBe(10);
    },
  );
});

describe("a clock without epochMs", () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it("a clock without epochMs uses Date.now", () => {
    vi.useFakeTimers({ toFake: ["Date"], now: MIDNIGHT - 1_234 });
    const quotas = [{ dimension: "requests", limit: 5, window: { calendar: "day" } }] as const;
    const limiter = new GrateLimiter({ clock: { now: () => 77 }, providers: [{ name: "p", quotas }] });
    limiter.observe({ provider: "p", outcome: { status: 200 } });
    expect(limiter.forecast("p")?.[0]?.nextReleaseInMs).toBe(1_234);
  });
});

describe("a cooldown until a known reset", () => {
  it("a cooldown until a known reset ends when the wall clock reaches the reset", () => {
    const clock = new MockClock({ startMs: 500, epochMs: MIDNIGHT - HOUR });
    const quotas = [{ dimension: "requests", limit: 5, window: { calendar: "day" } }] as const;
    const limiter = new GrateLimiter({ clock, providers: [{ name: "p", quotas }] });
    limiter.observe({ provider: "p", outcome: { status: "quota_exhausted" } });
    expect(limiter.inspect().providers[0]?.cooldownMs).toBe(HOUR);
    clock.advanceMs(HOUR - 1);
    expect(limiter.providerInCooldown("p")).toBe(true);
    clock.advanceMs(1);
    expect(limiter.providerInCooldown("p")).toBe(false);
  });
});
