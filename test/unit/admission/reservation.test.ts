// A lease reserves in all quotas of a candidate or in none, and the candidates are tried in the order of their scores.
import { describe, expect, it } from "vitest";
import { PriorityScorer, type QuotaConfig, WeightedScorer } from "../../../src/index.ts";
import { Desk, desk } from "../../support/limiter-fixture.ts";

describe("a reservation", () => {
  it("a lease reserves in every quota, own and pooled, of every dimension and window", () => {
    const one = new Desk({
      pools: { org: { limits: { rph: 100, tpm: 5_000 } } },
      providers: [
        { name: "a", limits: { rps: 9, rpm: 20, tpm: 1_000, itpm: 700, otpm: 600, concurrency: 4 }, pools: ["org"] },
      ],
      capabilities: { chat: ["a"] },
    });
    one.take({ requests: 2, inputTokens: 70, outputTokens: 30 });
    const left = one.limiter
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
    const one = new Desk({
      pools: { org: { limits: { tpm: 50 } } },
      providers: [
        { name: "a", limits: { rpm: 5, concurrency: 2, usdPerHour: 1 }, price: { usdPerRequest: 0.1 }, pools: ["org"] },
      ],
      capabilities: { chat: ["a"] },
    });
    one.take({ tokens: 45 }).headersReceived();
    const before = one.state();
    for (let i = 0; i < 5; i++) {
      expect(one.refusal({ tokens: 6 }).reasons).toEqual([
        {
          ...{ provider: "a", reason: "quota", dimension: "tokens", window: "minute", pool: "org" },
          ...{ limit: 50, remaining: 5, needed: 6, retryAfterMs: 60_000 },
        },
      ]);
    }
    expect(one.state()).toBe(before);
    expect(one.limiter.metrics.refusals).toBe(5);
    expect(one.hasRoom({ tokens: 5 })).toBe(true);
    expect(one.state()).not.toBe(before);
  });

  it("an amount of 0 fits even into an overdrawn quota", () => {
    const one = desk({ limits: { rpm: 5, tpm: 100 } });
    one.take({ tokens: 100 }).settle({ usage: { tokens: 400 } });
    expect(one.quota("tokens")).toMatchObject({ used: 400, remaining: 0 });
    expect(one.refusal({ tokens: 1 }).reasons[0]).toMatchObject({ reason: "quota", needed: 1, remaining: 0 });
    one.take({ tokens: 0 });
  });

  it("an overdrawn quota grants nothing until the request fits", () => {
    const one = desk({ limits: { tpm: 100 } });
    one.take({ tokens: 50 }).settle({ usage: { tokens: 150 } });
    one.clock.set(10_000);
    one.limiter.observe({ provider: "a", usage: { tokens: 20 }, outcome: { status: "success" } });
    expect(one.refusal({ tokens: 1 }).retryAfterMs).toBe(50_000);
    one.clock.set(60_000);
    expect(one.hasRoom({ tokens: 80 })).toBe(true);
    expect(one.hasRoom({ tokens: 81 })).toBe(false);
  });

  it("a limit of 0 never fits a request, and an amount above the limit is too large", () => {
    const one = desk({ limits: { rpm: 0 } });
    expect(one.refusal()).toMatchObject({
      ...{ granted: false, retryAfterMs: null, retryAfterSeconds: null },
      reasons: [{ reason: "too_large", dimension: "requests", limit: 0, needed: 1, remaining: 0 }],
    });
    const two = desk({ limits: { tpm: 10 } });
    expect(two.refusal({ tokens: 11 }).reasons).toEqual([
      {
        ...{ provider: "a", reason: "too_large", dimension: "tokens", window: "minute", pool: null },
        ...{ limit: 10, remaining: 10, needed: 11, retryAfterMs: null },
      },
    ]);
    two.take({ tokens: 10 });
    const none = desk({ limits: { concurrency: 0 } });
    expect(none.refusal().reasons[0]).toMatchObject({ dimension: "concurrency", limit: 0 });
  });

  it("a provider without quotas grants any number of leases", () => {
    const one = desk();
    for (let i = 0; i < 1_000; i++) one.take();
    expect(one.limiter.inspect().providers[0]!.inFlight).toBe(1_000);
  });

  it("a lease needs capacity in all of several quotas of one dimension and window", () => {
    const quotas: QuotaConfig[] = [5, 3, 4].map((limit) => ({ dimension: "requests", limit, window: "minute" }));
    const one = desk({ quotas });
    for (let i = 0; i < 3; i++) one.take();
    expect(one.refusal().reasons[0]).toMatchObject({ reason: "quota", limit: 3, remaining: 0 });
  });

  it("select() sees the requests in flight and changes nothing", () => {
    const one = desk({ limits: { concurrency: 1 } });
    expect(one.limiter.select("chat").waitMs).toBe(0);
    const lease = one.take();
    expect(one.limiter.select("chat").waitMs).toBeNull();
    lease.settle();
    expect(one.limiter.select("chat").waitMs).toBe(0);
    const windowed = desk({ limits: { rpm: 1 } });
    windowed.take().headersReceived();
    expect(windowed.limiter.select("chat").waitMs).toBe(60_000);
  });

  it("score and forecast count the requests in flight", () => {
    const one = desk({ limits: { rpm: 10 } });
    const idle = one.limiter.select("chat").breakdown.quotaScore;
    one.take({ requests: 5 });
    expect(idle).toBe(1);
    expect(one.limiter.select("chat").breakdown.quotaScore).toBeLessThanOrEqual(0.5);
  });
});

describe("candidates", () => {
  const many = (scoring: ConstructorParameters<typeof Desk>[0]["scoring"] = new PriorityScorer()) =>
    new Desk({
      scoring,
      providers: [
        { name: "a", limits: { rpm: 2 }, priority: 3 },
        { name: "b", limits: { rpm: 2 }, priority: 9 },
        { name: "c", limits: { rpm: 2 }, priority: 6 },
      ],
      capabilities: { chat: ["a", "b", "c"] },
    });

  it("candidates are tried in the order of their scores until one has capacity", () => {
    const one = many();
    const providers = Array.from({ length: 6 }, () => one.take().provider);
    expect(providers).toEqual(["b", "b", "c", "c", "a", "a"]);
    const { reasons, retryAfterMs } = one.refusal();
    expect(reasons.map(({ provider, reason }) => [provider, reason])).toEqual([
      ["a", "quota"],
      ["b", "quota"],
      ["c", "quota"],
    ]);
    expect(retryAfterMs).toBe(61_000);
  });

  it("a lease goes to the provider that select() would choose, and carries the same decision", () => {
    const one = many(new WeightedScorer());
    for (let i = 0; i < 6; i++) {
      const advice = one.limiter.select("chat");
      const { decision, provider } = one.take();
      expect(provider).toBe(advice.provider);
      expect(decision).toMatchObject({ provider, score: advice.score, waitMs: 0, reasoning: advice.reasoning });
      expect(decision.alternatives).toEqual(advice.alternatives);
      one.clock.advanceMs(1_000);
    }
  });

  it("`only` and `exclude` limit the candidates", () => {
    const one = many();
    expect(one.take({ only: ["a", "c"] }).provider).toBe("c");
    expect(one.take({ exclude: ["b"] }).provider).toBe("c");
    expect(one.take({ exclude: ["b"] }).provider).toBe("a");
    const { reasons } = one.refusal({ only: ["c"] });
    expect(reasons.map(({ provider, reason }) => [provider, reason])).toEqual([
      ["a", "excluded"],
      ["b", "excluded"],
      ["c", "quota"],
    ]);
  });

  it("every candidate of a refusal has its own true reason", () => {
    const one = new Desk({
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
      capabilities: { chat: ["nowhere", "dead", "paused", "cooling", "sick", "full", "busy", "small", "barred"] },
    });
    one.limiter.observe({ provider: "dead", outcome: { status: "unauthorized" } });
    one.limiter.observe({ provider: "cooling", outcome: { status: "rate_limited", retryAfterMs: 5_000.25 } });
    one.limiter.observe({ provider: "sick", outcome: { status: "timeout" } });
    one.limiter.observe({ provider: "full", outcome: { status: "success" } });
    one.take({ only: ["busy"] });
    const { reasons, retryAfterMs, retryAfterSeconds } = one.refusal({ tokens: 4, exclude: ["barred"] });
    const told = Object.fromEntries(reasons.map((reason) => [reason.provider, [reason.reason, reason.retryAfterMs]]));
    const healsInMs = Math.ceil(300_000 * Math.log2(0.5 / (1 - 0.9)));
    expect(told).toEqual({
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
    const one = new Desk({ providers: [{ name: "a" }], capabilities: { none: [], chat: ["a"] } });
    expect(one.refusal({}, "none")).toEqual({
      granted: false,
      retryAfterMs: null,
      retryAfterSeconds: null,
      reasons: [],
    });
    expect(() => one.take({}, "chit")).toThrow(expect.objectContaining({ code: "unknown_capability" }));
    expect(() => one.limiter.tryAcquire("chat", { tokens: -1 })).toThrow(
      expect.objectContaining({ code: "invalid_config" }),
    );
    const lease = one.take({ tokens: 3 });
    one.limiter.close();
    expect(() => one.take()).toThrow(expect.objectContaining({ code: "closed" }));
    lease.settle();
    expect(lease.settled).toBe(true);
    expect(one.limiter.metrics.leasesSettled).toBe(1);
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
      expect(() => new Desk(options), path).toThrow(expect.objectContaining({ problems: [problem] }));
    }
    const one = desk();
    for (const options of [
      { maxOutputTokens: -1 },
      { only: "a" },
      { exclude: [5] },
      { bytes: Number.NaN },
      { tokens: "7" },
    ]) {
      expect(() => one.limiter.tryAcquire("chat", options as never)).toThrow(
        expect.objectContaining({ code: "invalid_config" }),
      );
    }
  });

  it("the classic profile rejects leases", async () => {
    const one = new Desk({ profile: "classic", providers: [{ name: "a" }], capabilities: { chat: ["a"] } });
    const unsupported = expect.objectContaining({ code: expect.stringMatching(/^(unsupported|invalid_config)$/) });
    expect(() => one.limiter.tryAcquire("chat")).toThrow(unsupported);
    await expect((async () => one.limiter.acquire("chat"))()).rejects.toEqual(unsupported);
  });
});

describe("retryAfterMs of a refusal", () => {
  it("retryAfterMs is null if only the end of a request frees capacity, and a number if time does", () => {
    const provable = desk({ limits: { rpm: 1 } }, { skewCapMs: Number.POSITIVE_INFINITY });
    const lease = provable.take();
    expect(provable.refusal().retryAfterMs).toBeNull();
    provable.clock.set(2_500);
    lease.headersReceived();
    expect(provable.refusal().retryAfterMs).toBe(60_000);
    const capped = desk({ limits: { rpm: 1 } });
    capped.clock.set(10);
    capped.take();
    expect(capped.refusal().retryAfterMs).toBe(61_000);
    capped.clock.set(10.25);
    expect(capped.refusal().retryAfterMs).toBe(61_000);
    const open = desk({ quotas: [{ dimension: "tokens", limit: 9, window: "minute", countsAtEnd: true }] });
    open.take({ tokens: 9 });
    expect(open.refusal({ tokens: 1 }).retryAfterMs).toBeNull();
    const busy = desk({ limits: { concurrency: 1, rpm: 100 } });
    busy.take();
    expect(busy.refusal().retryAfterMs).toBeNull();
  });

  it("with two exhausted limits retryAfterMs is the instant at which both have capacity", () => {
    const one = desk({ limits: { rps: 1, rpm: 2 } });
    one.take().headersReceived();
    one.clock.set(1_000);
    one.take().headersReceived();
    expect(one.refusal().retryAfterMs).toBe(59_000);
  });

  it("retryAfterMs includes that an amount in flight joins the entry that is awaited, which then leaves later", () => {
    const one = desk({ limits: { rpm: 2 } });
    one.take();
    one.clock.set(950);
    one.take().settle();
    // At 1000 the first lease starts to count, less than 60000/512 ms after the second, so both leave at 61000.
    const { retryAfterMs } = one.refusal();
    one.clock.set(950 + retryAfterMs! - 1);
    expect(one.hasRoom()).toBe(false);
    one.clock.set(950 + retryAfterMs!);
    expect(one.hasRoom()).toBe(true);
  });

  it("if a cooldown ends before the window has capacity, retryAfterMs is the instant of the capacity", () => {
    const one = desk({ limits: { rpm: 1 } });
    one.take().settle({ status: "rate_limited", retryAfterMs: 5_000 });
    const refusal = one.refusal();
    expect(refusal.reasons[0]!.reason).toMatch(/cooldown|quota/);
    expect(refusal.retryAfterMs).toBe(60_000);
  });
});
