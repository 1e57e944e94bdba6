import { describe, expect, it } from "vitest";
import {
  type Decision,
  GrateLimiter,
  type GrateLimiterOptions,
  MockClock,
  type ProviderScoreContext,
  type ScoringStrategy,
} from "../../../src/index.ts";

// Selections that pressure must change, and selections that it must not change. Each case is decided twice: by the
// default scorer, and by the same weights without pressure.

const WEIGHTS = { quota: 0.4, health: 0.35, priority: 0.2, latency: 0.05 };

const withoutPressure: ScoringStrategy = {
  score: (context: ProviderScoreContext) =>
    WEIGHTS.quota * context.quotaRemainingRatio +
    WEIGHTS.health * context.healthScore +
    WEIGHTS.priority * context.priorityScore +
    WEIGHTS.latency * context.latencyScore,
};

type Script = (limiter: GrateLimiter, clock: MockClock) => void;

/** The decisions of both scorers after the same events. */
function decided(options: GrateLimiterOptions, script: Script): { pressed: Decision; unpressed: Decision } {
  const after = (scoring: GrateLimiterOptions["scoring"]) => {
    const clock = new MockClock();
    const limiter = new GrateLimiter({ ...options, clock, scoring });
    script(limiter, clock);
    return limiter.select("chat");
  };
  return { pressed: after(undefined), unpressed: after(withoutPressure) };
}

function use(limiter: GrateLimiter, provider: string, requests = 1): void {
  limiter.observe({ provider, usage: { requests }, outcome: { status: "success" } });
}

/** Evenly spaced requests, `perSecond` a second. */
function spaced(limiter: GrateLimiter, clock: MockClock, provider: string, perSecond: number, seconds: number): void {
  for (let i = 0; i < perSecond * seconds; i++) {
    clock.advanceMs(1_000 / perSecond);
    use(limiter, provider);
  }
}

describe("a provider with more remaining capacity that burns fast", () => {
  const options: GrateLimiterOptions = {
    providers: [
      { name: "fast", limits: { rpm: 1_000 } },
      { name: "idle", limits: { rpm: 1_000 } },
    ],
    capabilities: { chat: ["fast", "idle"] },
  };

  it("a fast burning provider loses to an idle one with less capacity, and would win without pressure", () => {
    const { pressed, unpressed } = decided(options, (limiter, clock) => {
      use(limiter, "idle", 600);
      clock.advanceMs(20_000);
      // 500 in 5 s: the quota is full in another 5 s, and the first release comes 50 s later.
      spaced(limiter, clock, "fast", 100, 5);
      expect(limiter.remainingQuota("fast", "requests")).toBe(500);
      expect(limiter.remainingQuota("idle", "requests")).toBe(400);
      expect(limiter.forecast("fast")?.[0]?.exhaustedInMs).toBeLessThan(6_000);
      expect(limiter.forecast("idle")?.[0]?.exhaustedInMs).toBeNull();
    });
    expect(unpressed.provider).toBe("fast");
    expect(pressed.provider).toBe("idle");
    expect(pressed.reasoning.quotaScore).toBeCloseTo(0.4, 12);
    expect(pressed.alternatives[0]!.score).toBeLessThan(unpressed.score - 0.4 * 0.45);
  });

  it("a slightly preferred provider loses during a burst and wins again after it", () => {
    const preferring: GrateLimiterOptions = {
      ...options,
      capabilities: {
        chat: [
          { provider: "fast", priority: 10 },
          { provider: "idle", priority: 8 },
        ],
      },
    };
    const burst: Script = (limiter, clock) => {
      use(limiter, "idle", 600);
      spaced(limiter, clock, "fast", 100, 5);
    };
    expect(decided(preferring, burst).pressed.provider).toBe("idle");
    const later = decided(preferring, (limiter, clock) => {
      burst(limiter, clock);
      clock.advanceMs(20_000);
    });
    expect(later.pressed.provider).toBe("fast");
  });

  it("a provider that will not be exhausted does not lose, however fast it burns", () => {
    const { pressed, unpressed } = decided(
      {
        ...options,
        providers: [
          { name: "fast", limits: { rpm: 10_000 } },
          { name: "idle", limits: { rpm: 1_000 } },
        ],
      },
      (limiter, clock) => {
        use(limiter, "idle", 100);
        spaced(limiter, clock, "fast", 100, 5);
      },
    );
    expect(unpressed.provider).toBe("fast");
    expect(pressed.provider).toBe("fast");
    expect(pressed.score).toBeCloseTo(unpressed.score, 12);
  });
});

describe("a steady load", () => {
  const PER_MINUTE = 1_200;
  const RIVAL_PRIORITY = 9.9;

  // The other provider has exactly the same remaining amount of an hourly quota with old usage: no release and no burn.
  // Its preference is the smallest that a penalty on the steady provider would outweigh.
  it.each([50, 80, 95])("a steady load of %d percent stays at the preferred provider", (percent) => {
    const clock = new MockClock();
    const limiter = new GrateLimiter({
      clock,
      providers: [
        { name: "steady", limits: { rpm: PER_MINUTE }, priority: 10 },
        { name: "rival", limits: { rph: 1_000 }, priority: RIVAL_PRIORITY },
      ],
      capabilities: { chat: ["rival", "steady"] },
    });
    use(limiter, "rival", percent * 10);
    const perSecond = (PER_MINUTE * percent) / 6_000;
    spaced(limiter, clock, "steady", perSecond, 120);
    for (let i = 0; i < 60 * perSecond; i++) {
      clock.advanceMs(1_000 / perSecond);
      const decision = limiter.select("chat");
      // The remaining amounts differ by less than two requests of 1,200.
      const left = limiter.forecast("steady")![0]!;
      expect(Math.abs(left.used / left.ceiling - percent / 100)).toBeLessThan(0.004);
      expect(decision.provider).toBe("steady");
      use(limiter, "steady");
    }
  });

  it("a forecast without expiring amounts would move a steady load from 80 % on", () => {
    for (const percent of [80, 95]) {
      const share = percent / 100;
      const perSecond = (PER_MINUTE * share) / 60;
      const blind = (share * PER_MINUTE + perSecond * 10 - Math.max(share, 0.85) * PER_MINUTE) / (0.15 * PER_MINUTE);
      const lost = WEIGHTS.quota * (1 - share) * Math.min(1, blind);
      const preference = WEIGHTS.priority * (1 - RIVAL_PRIORITY / 10);
      expect(lost).toBeGreaterThan(preference);
    }
  });

  it("a steady load at two equal providers stays at the preferred one, as without pressure", () => {
    for (const percent of [50, 80, 95]) {
      const { pressed, unpressed } = decided(
        {
          providers: [
            { name: "a", limits: { rpm: PER_MINUTE } },
            { name: "b", limits: { rpm: PER_MINUTE } },
          ],
          capabilities: { chat: ["a", { provider: "b", priority: 9 }] },
        },
        (limiter, clock) => {
          const perSecond = (PER_MINUTE * percent) / 6_000;
          for (let i = 0; i < perSecond * 150; i++) {
            clock.advanceMs(1_000 / perSecond);
            use(limiter, "a");
            use(limiter, "b");
          }
        },
      );
      expect([percent, pressed.provider, unpressed.provider]).toEqual([percent, "a", "a"]);
      expect(unpressed.score - pressed.score).toBeLessThanOrEqual(WEIGHTS.quota * (1 - percent / 100) * 0.02 + 1e-12);
    }
  });
});
