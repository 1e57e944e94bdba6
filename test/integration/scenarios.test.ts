// The eleven scenarios of the tests of the Rust engine and the failover example, in both profiles.
import { describe, expect, it } from "vitest";
import { GrateLimiter, MockClock, type StatusClass, UnknownCapability, UnknownProvider } from "../../src/index.ts";

const PROFILES = ["anticipatory", "classic"] as const;
type ProfileName = (typeof PROFILES)[number];

function chat(profile: ProfileName) {
  const clock = new MockClock();
  const limiter = new GrateLimiter({
    profile,
    clock,
    providers: [
      {
        name: "openai",
        quotas: [{ dimension: "requests", limit: 100, window: "minute" }],
        priority: 10,
        cooldownSeconds: 30,
      },
      {
        name: "anthropic",
        quotas: [{ dimension: "requests", limit: 80, window: "minute" }],
        priority: 8,
        cooldownSeconds: 30,
      },
    ],
    capabilities: {
      chat: [
        { provider: "openai", priority: 10 },
        { provider: "anthropic", priority: 8 },
      ],
    },
  });
  const ended = (provider: "openai" | "anthropic", status: StatusClass, requests = 1) =>
    limiter.observe({ provider, capability: "chat", usage: { requests }, outcome: { status, latencyMs: 100 } });
  return { clock, limiter, ended };
}

describe.each(PROFILES)("the scenarios of the Rust engine, %s", (profile) => {
  it("1: in a new limiter openai is selected with a score above 0 and one alternative", () => {
    const decision = chat(profile).limiter.select("chat");
    expect(decision.provider).toBe("openai");
    expect(decision.score).toBeGreaterThan(0);
    expect(decision.alternatives.map((alternative) => alternative.provider)).toEqual(["anthropic"]);
  });

  it("2: an unknown capability throws", () => {
    const limiter: GrateLimiter = chat(profile).limiter;
    expect(() => limiter.select("embedding")).toThrow(UnknownCapability);
  });

  it("3: one 429 lowers health", () => {
    const { limiter, ended } = chat(profile);
    expect(limiter.providerHealth("openai")).toBe(1);
    ended("openai", "rate_limited");
    expect(limiter.providerHealth("openai")).toBe(0.75);
    expect(limiter.providerHealth("anthropic")).toBe(1);
  });

  it("4: observing an unknown provider throws", () => {
    const limiter: GrateLimiter = chat(profile).limiter;
    expect(() => limiter.observe({ provider: "mistral", outcome: { status: "success" } })).toThrow(UnknownProvider);
  });

  it("5: after three 429s a second apart anthropic is selected", () => {
    const { clock, limiter, ended } = chat(profile);
    for (let i = 0; i < 3; i++) {
      ended("openai", "rate_limited");
      clock.advanceSecs(1);
    }
    const decision = limiter.select("chat");
    expect(decision.provider).toBe("anthropic");
    expect(decision.alternatives).toEqual([]);
  });

  it("6: two selects and one observe are counted", () => {
    const { limiter, ended } = chat(profile);
    limiter.select("chat");
    limiter.select("chat");
    ended("openai", "success");
    expect(limiter.metrics).toMatchObject({ selects: 2, observations: 1, cooldownsTriggered: 0 });
  });

  it("7: the remaining amount is 100, and 70 after 30 requests", () => {
    const { limiter, ended } = chat(profile);
    expect(limiter.providerQuotaRemaining("openai", "requests")).toBe(100);
    for (let i = 0; i < 30; i++) ended("openai", "success");
    expect(limiter.providerQuotaRemaining("openai", "requests")).toBe(70);
    expect(limiter.remainingQuota("openai", "requests")).toBe(70);
  });

  it("8: a second upsert with limit 200 after a 5xx keeps health and leaves 200", () => {
    const { limiter, ended } = chat(profile);
    ended("openai", "server_error");
    const health = limiter.providerHealth("openai");
    expect(health).toBeCloseTo(0.9, 9);
    limiter.upsertProvider({
      name: "openai",
      quotas: [{ dimension: "requests", limit: 200, window: "minute" }],
      priority: 10,
      cooldownSeconds: 30,
    });
    expect(Math.abs(limiter.providerHealth("openai")! - health!)).toBeLessThanOrEqual(0.01);
    expect(limiter.providerQuotaRemaining("openai", "requests")).toBe(200);
  });

  it("9: a thousand asynchronous callers give the same state as a sequential run", async () => {
    const { limiter, ended } = chat(profile);
    const observed: ["openai" | "anthropic", StatusClass][] = [];
    const call = async (caller: number) => {
      const { provider } = limiter.select("chat");
      for (let turn = (caller * 7) % 13; turn >= 0; turn--) await Promise.resolve();
      const status = caller % 50 === 0 ? "server_error" : caller % 9 === 0 ? "client_error" : "success";
      ended(provider, status);
      observed.push([provider, status]);
    };
    await Promise.all(Array.from({ length: 1_000 }, (_, caller) => call(caller)));

    const replay = chat(profile);
    for (const [provider, status] of observed) {
      replay.limiter.select("chat");
      replay.ended(provider, status);
    }
    expect(limiter.metrics).toEqual(replay.limiter.metrics);
    expect(limiter.metrics).toMatchObject({ selects: 1_000, observations: 1_000 });
    for (const provider of ["openai", "anthropic"] as const) {
      expect(limiter.providerHealth(provider)).toBe(replay.limiter.providerHealth(provider));
      expect(limiter.remainingQuota(provider, "requests")).toBe(replay.limiter.remainingQuota(provider, "requests"));
    }
  });

  it("10: 5 s after 90 of 100 requests in one burst anthropic is selected", () => {
    const { clock, limiter, ended } = chat(profile);
    for (let i = 0; i < 90; i++) ended("openai", "success");
    clock.advanceSecs(5);
    expect(limiter.select("chat").provider).toBe("anthropic");
  });

  it("11: three 429s 100 ms apart start a cooldown that is over 31 s later", () => {
    const { clock, limiter, ended } = chat(profile);
    for (let i = 0; i < 3; i++) {
      ended("openai", "rate_limited");
      clock.advanceMs(100);
    }
    expect(limiter.providerInCooldown("openai")).toBe(true);
    clock.advanceSecs(31);
    expect(limiter.providerInCooldown("openai")).toBe(false);
    expect(["openai", "anthropic"]).toContain(limiter.select("chat").provider);
  });
});

const VARIANTS = [
  { primaryLimit: 100, priorities: [10, 5] },
  { primaryLimit: 2, priorities: [10, 5] },
  { primaryLimit: 100, priorities: [10, 9] },
] as const;

describe.each(PROFILES)("the failover example, %s", (profile) => {
  it.each(VARIANTS)(
    "the failover example works with a primary of $primaryLimit a minute and priorities $priorities",
    ({ primaryLimit, priorities }) => {
      const clock = new MockClock();
      const [primary, backup] = priorities;
      const limiter = new GrateLimiter({
        profile,
        clock,
        providers: [
          { name: "primary", limits: { rpm: primaryLimit }, priority: primary, cooldownSeconds: 30 },
          { name: "backup", limits: { rpm: 100 }, priority: backup, cooldownSeconds: 30 },
        ],
        capabilities: {
          chat: [
            { provider: "primary", priority: primary },
            { provider: "backup", priority: backup },
          ],
        },
      });
      expect(limiter.select("chat").provider).toBe("primary");
      for (let i = 0; i < 3; i++) {
        if (i > 0) clock.advanceSecs(1);
        limiter.observe({ provider: "primary", outcome: { status: "rate_limited", latencyMs: 50 } });
      }
      expect(limiter.select("chat").provider).toBe("backup");
      clock.advanceSecs(60);
      expect(limiter.select("chat").provider).toBe(profile === "classic" ? "backup" : "primary");
    },
  );
});
