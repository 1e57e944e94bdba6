// The providers that can be selected, and the reasons of a refusal.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GrateLimiter, MockClock, type ProviderConfig, UnknownCapability } from "../../../src/index.ts";
import { buildLimiter, demands, histories, listedNames, trySelect } from "../../support/random-limiter.ts";
import { withLists } from "../../support/with-lists.ts";

function one(provider: Omit<ProviderConfig, "name"> = {}, minimumHealthScore?: number) {
  const clock = new MockClock();
  const limiter = new GrateLimiter({
    ...{ clock, minimumHealthScore },
    providers: [{ name: "only", cooldownSeconds: 30, ...provider }],
    capabilities: { chat: ["only"] },
  });
  const ended = (status: "rate_limited" | "forbidden" | "unauthorized", retryAfterMs?: number) =>
    limiter.observe({ provider: "only", outcome: { status, retryAfterMs } });
  return { clock, limiter, ended };
}

describe("a refusal", () => {
  it("a refusal has one reason per listed provider, in the order of the list, and the earliest of their times", () => {
    fc.assert(
      fc.property(histories, demands, (history, options) => {
        const { refusal } = trySelect(buildLimiter(history).limiter, options);
        if (refusal === null) return;
        expect(refusal.reasons.map(({ provider }) => provider)).toEqual(listedNames(history));
        const times = refusal.reasons.flatMap(({ retryAfterMs }) => retryAfterMs ?? []);
        expect(refusal.retryAfterMs).toBe(times.length === 0 ? null : Math.min(...times));
        expect(refusal.retryAfterSeconds).toBe(
          refusal.retryAfterMs === null ? null : Math.max(1, Math.ceil(refusal.retryAfterMs / 1_000)),
        );
        for (const time of times) expect(Number.isSafeInteger(time) && time > 0).toBe(true);
        expect(refusal).toMatchObject({ kind: "refused", capability: "chat", attempts: [] });
        expect(JSON.parse(JSON.stringify(refusal.reasons))).toEqual(refusal.reasons);
      }),
      { numRuns: 300 },
    );
  });

  it("the time of a refusal is exact: the same request succeeds then, and not a millisecond before", () => {
    fc.assert(
      fc.property(histories, demands, (history, options) => {
        const { refusal } = trySelect(buildLimiter(history).limiter, options);
        const retryAfterMs = refusal?.retryAfterMs ?? null;
        if (retryAfterMs === null) return;
        expect(
          trySelect(buildLimiter(history, retryAfterMs).limiter, options).decision,
          `after ${retryAfterMs} ms`,
        ).not.toBeNull();
        expect(trySelect(buildLimiter(history, retryAfterMs - 1).limiter, options).decision).toBeNull();
      }),
      { numRuns: 500 },
    );
  });

  it("a request that is too large has no time, even if a cooldown ends earlier", () => {
    const { limiter, ended } = one({ limits: { tpm: 10 } });
    ended("rate_limited", 5_000);
    expect(trySelect(limiter, { tokens: 11 }).refusal?.retryAfterMs).toBeNull();
  });

  it("an unregistered provider has the reason not_registered, and is used once it is registered", () => {
    const limiter = withLists(new GrateLimiter({ clock: new MockClock() }), { chat: ["ghost"] });
    expect(trySelect(limiter).refusal?.reasons).toEqual([
      { provider: "ghost", reason: "not_registered", retryAfterMs: null },
    ]);
    limiter.upsertProvider({ name: "ghost" });
    expect(limiter.select("chat").provider).toBe("ghost");
    limiter.removeProvider("ghost");
    expect(trySelect(limiter).refusal?.reasons[0]?.reason).toBe("not_registered");
  });

  it("the reason is excluded for both only and exclude", () => {
    const { limiter } = one();
    const excluded = [{ provider: "only", reason: "excluded", retryAfterMs: null }];
    expect(trySelect(limiter, { exclude: ["only"] }).refusal?.reasons).toEqual(excluded);
    expect(trySelect(limiter, { only: ["other"] }).refusal?.reasons).toEqual(excluded);
    expect(trySelect(limiter, { only: [] }).refusal?.reasons).toEqual(excluded);
    expect(trySelect(limiter, { only: ["only"], exclude: ["only"] }).refusal?.reasons).toEqual(excluded);
    expect(trySelect(limiter, { only: ["only", "only"], exclude: [] }).decision?.provider).toBe("only");
  });

  it("the reasons dead, paused and cooldown take precedence in this order", () => {
    const { clock, limiter, ended } = one();
    const reason = () => trySelect(limiter).refusal?.reasons[0];
    ended("rate_limited", 1_500.5);
    expect(reason()).toEqual({ provider: "only", reason: "cooldown", retryAfterMs: 1_501 });
    limiter.updateProvider("only", { paused: true });
    expect(reason()).toEqual({ provider: "only", reason: "paused", retryAfterMs: null });
    ended("unauthorized");
    expect(reason()).toEqual({ provider: "only", reason: "dead", retryAfterMs: null });
    limiter.reviveProvider("only");
    limiter.updateProvider("only", { paused: false });
    ended("rate_limited", 1_500.5);
    clock.advanceMs(1_500);
    expect(reason()).toEqual({ provider: "only", reason: "cooldown", retryAfterMs: 1 });
    clock.advanceMs(1);
    expect(limiter.select("chat").provider).toBe("only");
  });

  it("the reason unhealthy has the time at which health alone is sufficient", () => {
    const { clock, limiter, ended } = one({}, 0.2);
    ended("forbidden");
    ended("forbidden");
    const { refusal } = trySelect(limiter);
    // 1 - 0.5^(t / 300 s) = 0.2
    const heals = Math.ceil(300_000 * Math.log2(1 / 0.8));
    expect(refusal?.reasons).toEqual([{ provider: "only", reason: "unhealthy", retryAfterMs: heals }]);
    expect(refusal?.retryAfterSeconds).toBe(Math.ceil(heals / 1_000));
    clock.advanceMs(heals);
    expect(limiter.select("chat").provider).toBe("only");
  });

  it("the reason unhealthy has no time if health does not recover by itself", () => {
    const limiter = new GrateLimiter({
      clock: new MockClock(),
      ...{ health: { decayHalfLifeSeconds: 0 }, minimumHealthScore: 0.2 },
      providers: [{ name: "only" }],
      capabilities: { chat: ["only"] },
    });
    for (let i = 0; i < 2; i++) limiter.observe({ provider: "only", outcome: { status: "forbidden" } });
    expect(trySelect(limiter).refusal?.reasons).toEqual([
      { provider: "only", reason: "unhealthy", retryAfterMs: null },
    ]);
  });

  it("the reason for a limit of 0 is too_large", () => {
    for (const limits of [{ rpm: 0 }, { tpm: 0 }, { otpm: 0 }, { usdPerDay: 0 }, { concurrency: 0 }]) {
      expect(trySelect(one({ limits }).limiter).refusal?.reasons[0]).toMatchObject({
        reason: "too_large",
        limit: 0,
        remaining: 0,
        needed: 1,
        retryAfterMs: null,
      });
    }
    const { limiter } = one({ limits: { concurrency: 0, rpm: 1 } });
    expect(trySelect(limiter).refusal?.reasons[0]).toMatchObject({
      dimension: "concurrency",
      window: null,
      pool: null,
    });
    const exact = one({ limits: { rpm: 1, tpm: 5, tpd: 6 } });
    expect(trySelect(exact.limiter, { tokens: 6 }).refusal?.reasons[0]).toMatchObject({
      dimension: "tokens",
      limit: 5,
    });
  });

  it("a refusal of an empty capability has no reasons", () => {
    const limiter = new GrateLimiter({ clock: new MockClock(), capabilities: { chat: [] } });
    const { refusal } = trySelect(limiter);
    expect(refusal).toMatchObject({ reasons: [], retryAfterMs: null, retryAfterSeconds: null });
    expect(limiter.metrics).toMatchObject({ selects: 1, noProviderAvailable: 1 });
  });
});

describe("only and exclude", () => {
  it("only and exclude do not change the scores of the others: the maxima are those of the whole list", () => {
    const limiter = new GrateLimiter({
      clock: new MockClock(),
      providers: [
        { name: "fast", priority: 20 },
        { name: "slow", priority: 5 },
      ],
      capabilities: { chat: ["fast", "slow"] },
    });
    limiter.observe({ provider: "fast", outcome: { status: "success", latencyMs: 900 } });
    limiter.observe({ provider: "slow", outcome: { status: "success", latencyMs: 300 } });
    const alone = limiter.select("chat", { exclude: ["fast"] });
    expect(alone.breakdown.priorityScore).toBe(0.25);
    expect(alone.breakdown.latencyScore).toBeCloseTo(2 / 3, 12);
  });

  it("only and exclude reject invalid names and values that are not lists", () => {
    const { limiter } = one();
    for (const [options, path] of [
      [{ only: "only" }, "only"],
      [{ exclude: [""] }, "exclude[0]"],
      [{ only: ["only", 5] }, "only[1]"],
      [{ exclud: ["only"] }, "exclud"],
    ] as const) {
      expect(() => limiter.select("chat", options as never)).toThrow(
        expect.objectContaining({ code: "invalid_config", problems: [expect.objectContaining({ path })] }),
      );
    }
  });
});

describe("counters", () => {
  it("the counters include selects and those without an available provider", () => {
    const { limiter } = one({ paused: true });
    trySelect(limiter);
    trySelect(limiter);
    limiter.updateProvider("only", { paused: false });
    limiter.select("chat");
    expect(limiter.metrics).toMatchObject({ selects: 3, noProviderAvailable: 2, observations: 0 });
  });

  it("an unknown capability throws with its name and a suggestion", () => {
    const limiter: GrateLimiter = one().limiter;
    try {
      limiter.select("chta");
      expect.unreachable();
    } catch (error) {
      if (!UnknownCapability.is(error)) throw error;
      expect(error.capability).toBe("chta");
      expect(error.message).toContain("chat");
    }
  });
});
