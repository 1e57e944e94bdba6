// A lease reserves in all quotas of a candidate or in none, and the candidates are tried in the order of their scores.
import { describe, expect, it } from "vitest";
import { PriorityScorer, type QuotaConfig, WeightedScorer } from "../../../src/index.ts";
import { chatFixture, LimiterFixture } from "../../support/limiter-fixture.ts";

describe("a reservation", () => {
  it("a lease reserves in every quota, own and pooled, of every dimension and window", () => {
    const fixture = new LimiterFixture({
      pools: { org: { limits: { rph: 100, tpm: 5_000 } } },
      providers: [
        { name: "a", limits: { rps: 9, rpm: 20, tpm: 1_000, itpm: 700, otpm: 600, concurrency: 4 }, pools: ["org"] },
      ],
      capabilities: { chat: ["a"] },
    });
    fixture.grant({ requests: 2, inputTokens: 70, outputTokens: 30 });
    const left = fixture.limiter
      .forecast("a")!
      .map(({ dimension, pool, ceiling, remaining }) => [...[dimension, ceiling - remaining, pool]]);
    expect(left).toEqual([
      ["requests", 2, null],
      ["requests", 2, null],
      ["tokens", 100, null],
      ["input_tokens", 70, null],
      ["output_tokens", 30, null],
      ["concurrency", 1, null],
      ["requests", 2, "org"],
      ["tokens", 100, "org"],
    ]);
  });

  it("a lease reserves all amounts or none, and a refusal leaves no trace", () => {
    const fixture = new LimiterFixture({
      pools: { org: { limits: { tpm: 50 } } },
      providers: [
        { name: "a", limits: { rpm: 5, concurrency: 2, usdPerHour: 1 }, price: { usdPerRequest: 0.1 }, pools: ["org"] },
      ],
      capabilities: { chat: ["a"] },
    });
    fixture.grant({ tokens: 45 }).headersReceived();
    const before = fixture.state();
    for (let i = 0; i < 5; i++) {
      expect(fixture.refusal({ tokens: 6 }).reasons).toEqual([
        {
          ...{ provider: "a", reason: "quota", dimension: "tokens", window: "minute", pool: "org" },
          ...{ limit: 50, remaining: 5, needed: 6, retryAfterMs: 60_000 },
        },
      ]);
    }
    expect(fixture.state()).toBe(before);
    expect(fixture.limiter.metrics.refusals).toBe(5);
    expect(fixture.hasCapacity({ tokens: 5 })).toBe(true);
    expect(fixture.state()).not.toBe(before);
  });

  it("an amount of 0 fits even into an overdrawn quota", () => {
    const fixture = chatFixture({ limits: { rpm: 5, tpm: 100 } });
    fixture.grant({ tokens: 100 }).settle({ usage: { tokens: 400 } });
    expect(fixture.quota("tokens")).toMatchObject({ used: 400, remaining: 0 });
    expect(fixture.refusal({ tokens: 1 }).reasons[0]).toMatchObject({ reason: "quota", needed: 1, remaining: 0 });
    fixture.grant({ tokens: 0 });
  });

  it("an overdrawn quota grants nothing until the request fits", () => {
    const fixture = chatFixture({ limits: { tpm: 100 } });
    fixture.grant({ tokens: 50 }).settle({ usage: { tokens: 150 } });
    fixture.clock.set(10_000);
    fixture.limiter.observe({ provider: "a", usage: { tokens: 20 }, outcome: { status: "success" } });
    expect(fixture.refusal({ tokens: 1 }).retryAfterMs).toBe(50_000);
    fixture.clock.set(60_000);
    expect(fixture.hasCapacity({ tokens: 80 })).toBe(true);
    expect(fixture.hasCapacity({ tokens: 81 })).toBe(false);
  });

  it("a limit of 0 never fits a request, and an amount above the limit is too large", () => {
    const fixture = chatFixture({ limits: { rpm: 0 } });
    expect(fixture.refusal()).toMatchObject({
      ...{ granted: false, retryAfterMs: null, retryAfterSeconds: null },
      reasons: [{ reason: "too_large", dimension: "requests", limit: 0, needed: 1, remaining: 0 }],
    });
    const two = chatFixture({ limits: { tpm: 10 } });
    expect(two.refusal({ tokens: 11 }).reasons).toEqual([
      {
        ...{ provider: "a", reason: "too_large", dimension: "tokens", window: "minute", pool: null },
        ...{ limit: 10, remaining: 10, needed: 11, retryAfterMs: null },
      },
    ]);
    two.grant({ tokens: 10 });
    const none = chatFixture({ limits: { concurrency: 0 } });
    expect(none.refusal().reasons[0]).toMatchObject({ dimension: "concurrency", limit: 0 });
  });

  it("a provider without quotas grants any number of leases", () => {
    const fixture = chatFixture();
    for (let i = 0; i < 1_000; i++) fixture.grant();
    expect(fixture.limiter.inspect().providers[0]!.inFlight).toBe(1_000);
  });

  it("a lease needs capacity in all of several quotas of one dimension and window", () => {
    const quotas: QuotaConfig[] = [5, 3, 4].map((limit) => ({ dimension: "requests", limit, window: "minute" }));
    const fixture = chatFixture({ quotas });
    for (let i = 0; i < 3; i++) fixture.grant();
    expect(fixture.refusal().reasons[0]).toMatchObject({ reason: "quota", limit: 3, remaining: 0 });
  });

  it("select() sees the requests in flight and changes nothing", () => {
    const fixture = chatFixture({ limits: { concurrency: 1 } });
    expect(fixture.limiter.select("chat").waitMs).toBe(0);
    const lease = fixture.grant();
    expect(fixture.limiter.select("chat").waitMs).toBeNull();
    lease.settle();
    expect(fixture.limiter.select("chat").waitMs).toBe(0);
    const windowed = chatFixture({ limits: { rpm: 1 } });
    windowed.grant().headersReceived();
    expect(windowed.limiter.select("chat").waitMs).toBe(60_000);
  });

  it("score and forecast count the requests in flight", () => {
    const fixture = chatFixture({ limits: { rpm: 10 } });
    const idle = fixture.limiter.select("chat").breakdown.quotaScore;
    fixture.grant({ requests: 5 });
    expect(idle).toBe(1);
    expect(fixture.limiter.select("chat").breakdown.quotaScore).toBeLessThanOrEqual(0.5);
  });
});

describe("candidates", () => {
  const many = (scoring: ConstructorParameters<typeof LimiterFixture>[0]["scoring"] = new PriorityScorer()) =>
    new LimiterFixture({
      scoring,
      providers: [
        { name: "a", limits: { rpm: 2 }, priority: 3 },
        { name: "b", limits: { rpm: 2 }, priority: 9 },
        { name: "c", limits: { rpm: 2 }, priority: 6 },
      ],
      capabilities: { chat: ["a", "b", "c"] },
    });

  it("candidates are tried in the order of their scores until one has capacity", () => {
    const fixture = many();
    const providers = Array.from({ length: 6 }, () => fixture.grant().provider);
    expect(providers).toEqual(["b", "b", "c", "c", "a", "a"]);
    const { reasons, retryAfterMs } = fixture.refusal();
    expect(reasons.map(({ provider, reason }) => [provider, reason])).toEqual([
      ["a", "quota"],
      ["b", "quota"],
      ["c", "quota"],
    ]);
    expect(retryAfterMs).toBe(61_000);
  });

  it("a lease goes to the provider that select() would choose, and carries the same decision", () => {
    const fixture = many(new WeightedScorer());
    for (let i = 0; i < 6; i++) {
      const advice = fixture.limiter.select("chat");
      const { decision, provider } = fixture.grant();
      expect(provider).toBe(advice.provider);
      expect(decision).toMatchObject({ provider, score: advice.score, waitMs: 0, reasoning: advice.reasoning });
      expect(decision.alternatives).toEqual(advice.alternatives);
      fixture.clock.advanceMs(1_000);
    }
  });

  it("`only` and `exclude` limit the candidates", () => {
    const fixture = many();
    expect(fixture.grant({ only: ["a", "c"] }).provider).toBe("c");
    expect(fixture.grant({ exclude: ["b"] }).provider).toBe("c");
    expect(fixture.grant({ exclude: ["b"] }).provider).toBe("a");
    const { reasons } = fixture.refusal({ only: ["c"] });
    expect(reasons.map(({ provider, reason }) => [provider, reason])).toEqual([
      ["a", "excluded"],
      ["b", "excluded"],
      ["c", "quota"],
    ]);
  });

  it("every candidate of a refusal has its own true reason", () => {
    const fixture = new LimiterFixture({
      health: { penaltyTimeout: 0.5, penalty429: 0 },
      minimumHealthScore: 0.9,
      providers: [
        { name: "dead" },
        { name: "paused", paused: true },
        { name: "cooling" },
        { name: "sick" },
        { name: "full", limits: { rpm: 1 } },
        { name: "busy", limits: { concurrency: 1 } },
        { name: "small", limits: { tpm: 3 } },
        { name: "barred" },
      ],
    });
    fixture.limiter.upsertCapability({
      name: "chat",
      providers: ["nowhere", "dead", "paused", "cooling", "sick", "full", "busy", "small", "barred"],
    });
    fixture.limiter.observe({ provider: "dead", outcome: { status: "unauthorized" } });
    fixture.limiter.observe({ provider: "cooling", outcome: { status: "rate_limited", retryAfterMs: 5_000.25 } });
    fixture.limiter.observe({ provider: "sick", outcome: { status: "timeout" } });
    fixture.limiter.observe({ provider: "full", outcome: { status: "success" } });
    fixture.grant({ only: ["busy"] });
    const { reasons, retryAfterMs, retryAfterSeconds } = fixture.refusal({ tokens: 4, exclude: ["barred"] });
    const reported = Object.fromEntries(
      reasons.map((reason) => [reason.provider, [reason.reason, reason.retryAfterMs]]),
    );
    const healsInMs = Math.ceil(300_000 * Math.log2(0.5 / (1 - 0.9)));
    expect(reported).toEqual({
      nowhere: ["not_registered", null],
      dead: ["dead", null],
      paused: ["paused", null],
      cooling: ["cooldown", 5_001],
      sick: ["unhealthy", healsInMs],
      full: ["quota", 60_000],
      busy: ["concurrency", null],
      small: ["too_large", null],
      barred: ["excluded", null],
    });
    expect([retryAfterMs, retryAfterSeconds]).toEqual([5_001, 6]);
    expect(JSON.parse(JSON.stringify(reasons))).toEqual(reasons);
  });

  it("an empty capability is refused without reasons; an unknown one and a closed limiter throw", () => {
    const fixture = new LimiterFixture({ providers: [{ name: "a" }], capabilities: { none: [], chat: ["a"] } });
    expect(fixture.refusal({}, "none")).toEqual({
      granted: false,
      retryAfterMs: null,
      retryAfterSeconds: null,
      reasons: [],
    });
    expect(() => fixture.grant({}, "chit")).toThrow(expect.objectContaining({ code: "unknown_capability" }));
    expect(() => fixture.limiter.tryAcquire("chat", { tokens: -1 })).toThrow(
      expect.objectContaining({ code: "invalid_config" }),
    );
    const lease = fixture.grant({ tokens: 3 });
    fixture.limiter.close();
    expect(() => fixture.grant()).toThrow(expect.objectContaining({ code: "closed" }));
    lease.settle();
    expect(lease.settled).toBe(true);
    expect(fixture.limiter.metrics.leasesSettled).toBe(1);
  });

  it("invalid options are rejected with their path", () => {
    const refusedOptions: [object, string][] = [
      [{ skewCapMs: -1 }, "skewCapMs"],
      [{ skewCapMs: Number.NaN }, "skewCapMs"],
      [{ leaseTimeoutMs: -5 }, "leaseTimeoutMs"],
      [{ leaseTimeoutMs: "long" }, "leaseTimeoutMs"],
      [{ maxWaiting: -1 }, "maxWaiting"],
      [{ maxWaiting: Number.NaN }, "maxWaiting"],
      [{ spread: "even" }, "spread"],
      [{ random: 0.5 }, "random"],
      [{ defaults: { maxWaitMs: -1 } }, "defaults.maxWaitMs"],
    ];
    for (const [options, path] of refusedOptions) {
      const problem = expect.objectContaining({ path: expect.stringContaining(path) });
      expect(() => new LimiterFixture(options), path).toThrow(expect.objectContaining({ problems: [problem] }));
    }
    const fixture = chatFixture();
    for (const options of [
      { maxOutputTokens: -1 },
      { only: "a" },
      { exclude: [5] },
      { bytes: Number.NaN },
      { tokens: "7" },
    ]) {
      expect(() => fixture.limiter.tryAcquire("chat", options as never)).toThrow(
        expect.objectContaining({ code: "invalid_config" }),
      );
    }
  });

  it("the classic profile rejects leases", async () => {
    const fixture = new LimiterFixture({
      profile: "classic",
      providers: [{ name: "a" }],
      capabilities: { chat: ["a"] },
    });
    const unsupported = expect.objectContaining({ code: expect.stringMatching(/^(unsupported|invalid_config)$/) });
    expect(() => fixture.limiter.tryAcquire("chat")).toThrow(unsupported);
    await expect((async () => fixture.limiter.acquire("chat"))()).rejects.toEqual(unsupported);
  });
});

describe("retryAfterMs of a refusal", () => {
  it("retryAfterMs is null if only the end of a request frees capacity, and a number if time does", () => {
    const provable = chatFixture({ limits: { rpm: 1 } }, { skewCapMs: Number.POSITIVE_INFINITY });
    const lease = provable.grant();
    expect(provable.refusal().retryAfterMs).toBeNull();
    provable.clock.set(2_500);
    lease.headersReceived();
    expect(provable.refusal().retryAfterMs).toBe(60_000);
    const capped = chatFixture({ limits: { rpm: 1 } });
    capped.clock.set(10);
    capped.grant();
    expect(capped.refusal().retryAfterMs).toBe(61_000);
    capped.clock.set(10.25);
    expect(capped.refusal().retryAfterMs).toBe(61_000);
    const open = chatFixture({ quotas: [{ dimension: "tokens", limit: 9, window: "minute", countsAtEnd: true }] });
    open.grant({ tokens: 9 });
    expect(open.refusal({ tokens: 1 }).retryAfterMs).toBeNull();
    const busy = chatFixture({ limits: { concurrency: 1, rpm: 100 } });
    busy.grant();
    expect(busy.refusal().retryAfterMs).toBeNull();
  });

  it("with two exhausted limits retryAfterMs is the instant at which both have capacity", () => {
    const fixture = chatFixture({ limits: { rps: 1, rpm: 2 } });
    fixture.grant().headersReceived();
    fixture.clock.set(1_000);
    fixture.grant().headersReceived();
    expect(fixture.refusal().retryAfterMs).toBe(59_000);
  });

  it("retryAfterMs includes that an amount in flight joins the entry that is awaited, which then leaves later", () => {
    const fixture = chatFixture({ limits: { rpm: 2 } });
    fixture.grant();
    fixture.clock.set(950);
    fixture.grant().settle();
    // At 1000 the first lease starts to count, less than 60000/512 ms after the second, so both leave at 61000.
    const { retryAfterMs } = fixture.refusal();
    fixture.clock.set(950 + retryAfterMs! - 1);
    expect(fixture.hasCapacity()).toBe(false);
    fixture.clock.set(950 + retryAfterMs!);
    expect(fixture.hasCapacity()).toBe(true);
  });

  it("if a cooldown ends before the window has capacity, retryAfterMs is the instant of the capacity", () => {
    const fixture = chatFixture({ limits: { rpm: 1 } });
    fixture.grant().settle({ status: "rate_limited", retryAfterMs: 5_000 });
    const refusal = fixture.refusal();
    expect(refusal.reasons[0]!.reason).toMatch(/cooldown|quota/);
    expect(refusal.retryAfterMs).toBe(60_000);
  });
});
