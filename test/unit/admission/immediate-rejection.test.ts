import { describe, expect, it } from "vitest";
import { chatFixture, LimiterFixture, occupiedFixture, rejection } from "../../support/limiter-fixture.ts";

describe("immediate rejection", () => {
  const kinds = async (fixture: LimiterFixture, options: Parameters<LimiterFixture["acquire"]>[0] = {}) => {
    const asked = fixture.acquire(options);
    await fixture.advance(0);
    return asked.state === "rejected" ? rejection(asked).kind : asked.state;
  };

  it("a call is rejected immediately if the next release of a window comes after the deadline", async () => {
    const fixture = chatFixture({ limits: { rpm: 1 } });
    fixture.grant().settle();
    expect(await kinds(fixture, { maxWaitMs: 59_999 })).toBe("refused");
    const asked = fixture.acquire({ maxWaitMs: 59_999 });
    await fixture.advance(0);
    expect(rejection(asked)).toMatchObject({ retryAfterMs: 60_000, retryAfterSeconds: 60, attempts: [] });
    expect(rejection(asked).reasons).toMatchObject([{ reason: "quota", retryAfterMs: 60_000 }]);
    expect(await kinds(fixture, { maxWaitMs: 60_001 })).toBe("waiting");
  });

  it("a call is rejected immediately behind waiters with later deadlines or smaller amounts", async () => {
    const fixture = chatFixture({ limits: { rpm: 1, tpm: 50 } });
    fixture.grant({ tokens: 1 }).settle();
    expect(await kinds(fixture, { tokens: 1, maxWaitMs: 70_000 })).toBe("waiting");
    expect(await kinds(fixture, { tokens: 1, maxWaitMs: 1_000 })).toBe("refused");
    expect(await kinds(fixture, { tokens: 1, maxWaitMs: 0 })).toBe("refused");
    expect(await kinds(fixture, { tokens: 51, maxWaitMs: 70_000 })).toBe("refused");
    expect(await kinds(fixture, { tokens: 1, maxWaitMs: 130_000 })).toBe("waiting");
    expect(await kinds(fixture, { tokens: 1, maxWaitMs: 1_000, priority: 3 })).toBe("refused");
    expect(fixture.limiter.inspect().waiting).toEqual({ chat: 2 });
  });

  it("a call is rejected immediately if all requests in flight together free too little", async () => {
    const fixture = chatFixture({ limits: { rpm: 10, tpm: 100 } });
    fixture.grant({ tokens: 70 }).settle();
    const open = fixture.grant({ tokens: 20 });
    expect(await kinds(fixture, { tokens: 31, maxWaitMs: 50_000 })).toBe("refused");
    expect(await kinds(fixture, { tokens: 30, maxWaitMs: 50_000 })).toBe("waiting");
    open.headersReceived();
    await fixture.advance(10_000);
    // The amounts already count, and can still be corrected.
    expect(await kinds(fixture, { tokens: 31, maxWaitMs: 49_000 })).toBe("refused");
    expect(await kinds(fixture, { tokens: 31, maxWaitMs: 50_001 })).toBe("waiting");
    open.settle({ usage: { tokens: 0 } });
  });

  it("an immediate rejection considers all quotas of a provider", async () => {
    const fixture = chatFixture({ limits: { rpm: 2, concurrency: 2 } });
    fixture.grant().settle();
    fixture.grant().headersReceived();
    // The place becomes free, but the request still counts.
    expect(await kinds(fixture, { maxWaitMs: 30_000 })).toBe("refused");
    const other = chatFixture({ limits: { rpm: 2, concurrency: 1 } });
    other.grant().headersReceived();
    expect(await kinds(other, { maxWaitMs: 30_000 })).toBe("waiting");
  });

  it("a call waits if an answered request counts from its end and leaves the window in time", async () => {
    const fixture = chatFixture({ quotas: [{ dimension: "requests", limit: 1, window: "second", countsAtEnd: true }] });
    const open = fixture.grant();
    open.headersReceived();
    const asked = fixture.acquire({ maxWaitMs: 10_000 });
    await fixture.advance(2_000);
    expect(asked.state).toBe("waiting");
    open.settle();
    await fixture.advance(1_000);
    expect(asked.state).toBe("granted");
  });

  it("a call waits for requests that might turn out to be unused", async () => {
    const fixture = chatFixture({ limits: { rpm: 10 } });
    const open = fixture.grant({ requests: 10 });
    open.headersReceived();
    const asked = fixture.acquire({ requests: 7, maxWaitMs: 10_000 });
    await fixture.advance(1_000);
    open.settle({ usage: { requests: 3 } });
    await fixture.advance(0);
    expect(asked.state).toBe("granted");
    expect(await kinds(fixture, { requests: 10, maxWaitMs: 10_000 })).toBe("refused");
  });

  it("a call waits if later samples can lower its estimate", async () => {
    const fixture = chatFixture({ limits: { tpm: 100 } });
    fixture.grant({ tokens: 30 }).settle({ usage: { tokens: 30 } });
    const open = fixture.grant({ tokens: 10 });
    // One sample of 30 leaves a margin of nearly all capacity; a second one of 30 leaves no margin.
    const asked = fixture.acquire({ maxWaitMs: 10_000 });
    await fixture.advance(1_000);
    expect(asked.state).toBe("waiting");
    open.settle({ usage: { tokens: 30 } });
    await fixture.advance(0);
    expect(asked.state).toBe("granted");
  });

  it("a call waits for health that recovers in time if a place becomes free with the end of a request", async () => {
    const fixture = new LimiterFixture({
      minimumHealthScore: 0.5,
      health: { decayHalfLifeSeconds: 2, cooldownTriggerCount: 100, penalty5xx: 0.7 },
      pools: { shared: { limits: { concurrency: 1 } } },
      providers: [
        { name: "a", pools: ["shared"] },
        { name: "b", pools: ["shared"] },
      ],
      capabilities: { chat: ["a"], mail: ["b"] },
    });
    const open = fixture.grant({}, "mail");
    fixture.limiter.observe({ provider: "a", outcome: { status: "server_error" } });
    const asked = fixture.acquire({ maxWaitMs: 10_000 });
    await fixture.advance(5_000);
    expect(asked.state).toBe("waiting");
    open.settle();
    await fixture.advance(0);
    expect(asked.state).toBe("granted");
    expect(await kinds(fixture, { maxWaitMs: 0 })).toBe("refused");
  });

  it("a call is rejected immediately if a cooldown ends after the deadline", async () => {
    const fixture = chatFixture();
    fixture.limiter.observe({ provider: "a", outcome: { status: "overloaded", retryAfterMs: 90_000 } });
    expect(await kinds(fixture)).toBe("refused");
    expect(await kinds(fixture, { maxWaitMs: 90_001 })).toBe("waiting");
  });

  it.each(["too large", "dead", "excluded", "empty", "not registered"])(
    "a call is rejected immediately if no provider can ever serve it: %s",
    async (why) => {
      const fixture = new LimiterFixture({
        providers: [{ name: "a", limits: { tpm: 10 } }],
        capabilities: { chat: why === "empty" || why === "not registered" ? [] : ["a"] },
      });
      if (why === "not registered") fixture.limiter.upsertCapability({ name: "chat", providers: ["nobody"] });
      if (why === "dead") fixture.limiter.observe({ provider: "a", outcome: { status: "unauthorized" } });
      const exclude = why === "excluded" ? ["a"] : undefined;
      expect(await kinds(fixture, { tokens: why === "too large" ? 11 : 1, exclude, maxWaitMs: Infinity })).toBe(
        "refused",
      );
    },
  );

  it("a call waits if the end of a request in flight can free capacity", async () => {
    const place = occupiedFixture().fixture;
    expect(await kinds(place, { maxWaitMs: 10 })).toBe("waiting");
    const unsent = chatFixture({ limits: { rpm: 1 } });
    unsent.grant();
    expect(await kinds(unsent, { maxWaitMs: 10 })).toBe("waiting");
    const tokens = chatFixture({ limits: { tpm: 100 } });
    tokens.grant({ tokens: 100 }).headersReceived();
    expect(await kinds(tokens, { maxWaitMs: 10, tokens: 5 })).toBe("waiting");
    const trial = chatFixture();
    trial.limiter.observe({ provider: "a", outcome: { status: "rate_limited", retryAfterMs: 500 } });
    trial.clock.set(500);
    trial.grant();
    expect(await kinds(trial, { maxWaitMs: 10 })).toBe("waiting");
    const pooled = new LimiterFixture({
      pools: { org: { limits: { concurrency: 1 } } },
      providers: [
        { name: "a", pools: ["org"] },
        { name: "b", pools: ["org"] },
      ],
      capabilities: { chat: ["a"], mail: ["b"] },
    });
    pooled.grant({}, "mail");
    expect(await kinds(pooled, { maxWaitMs: 10 })).toBe("waiting");
  });

  it("a call waits if a known release and the end of a trial are both needed and both possible", async () => {
    const fixture = chatFixture({ quotas: [{ dimension: "requests", limit: 1, window: { seconds: 5 } }] });
    fixture.limiter.observe({
      provider: "a",
      usage: { requests: 0 },
      outcome: { status: "rate_limited", retryAfterMs: 500 },
    });
    fixture.clock.set(500);
    const trial = fixture.grant();
    trial.headersReceived();
    const asked = fixture.acquire({ maxWaitMs: 6_000 });
    await fixture.advanceTo(1_000);
    expect(asked.state).toBe("waiting");
    trial.settle();
    await fixture.advanceTo(5_500);
    expect(asked.state).toBe("granted");
    // The release alone does not come in time.
    asked.lease!.headersReceived();
    expect(await kinds(fixture, { maxWaitMs: 4_000 })).toBe("refused");
  });

  it("a call is rejected immediately if a cooldown ends in time but its provider can never serve it", async () => {
    const fixture = new LimiterFixture({
      providers: [
        { name: "a", limits: { tpm: 10 } },
        { name: "b", limits: { concurrency: 1 } },
      ],
      capabilities: { chat: ["a", "b"] },
    });
    fixture.grant({ only: ["b"], tokens: 1 });
    fixture.limiter.observe({ provider: "a", outcome: { status: "rate_limited", retryAfterMs: 4_000 } });
    const first = fixture.acquire({ tokens: 11, maxWaitMs: 20_000 });
    await fixture.advance(0);
    expect(first.state).toBe("waiting");
    fixture.limiter.removeProvider("b");
    expect(await kinds(fixture, { tokens: 11, maxWaitMs: 20_000 })).toBe("refused");
    await fixture.advanceTo(20_000);
    expect(first.state).toBe("rejected");
  });

  it("a queued waiter is rejected as soon as it cannot be served any more, and the waiters behind it are served", async () => {
    const fixture = chatFixture({ limits: { concurrency: 2, rpm: 1 } });
    const lease = fixture.grant();
    const first = fixture.acquire({ maxWaitMs: 50 });
    const second = fixture.acquire({ requests: 0 });
    await fixture.advance(0);
    expect([first.state, second.state]).toEqual(["waiting", "waiting"]);
    lease.settle();
    await fixture.advance(0);
    if (first.state === "waiting") await fixture.advance(50);
    expect([first.state, second.state]).toEqual(["rejected", "granted"]);
  });

  it("a call waits for an abandoned place that becomes free in time, and for no other", async () => {
    const { fixture, leases } = occupiedFixture();
    leases[0]!.settle({ status: "cancelled" });
    expect(await kinds(fixture, { maxWaitMs: 999 })).toBe("refused");
    const asked = fixture.acquire({ maxWaitMs: 1_001 });
    await fixture.advanceTo(1_000);
    expect(asked.state).toBe("granted");
  });

  it("an invalid request is rejected with the error that tryAcquire throws", async () => {
    const fixture = chatFixture();
    const asked = async (capability: string, options?: object) => fixture.limiter.acquire(capability, options);
    await expect(asked("chit")).rejects.toMatchObject({ code: "unknown_capability" });
    await expect(asked("chat", { tokens: -1 })).rejects.toMatchObject({ code: "invalid_config" });
    await expect(asked("chat", { maxWaitMs: Number.NaN })).rejects.toMatchObject({ code: "invalid_config" });
    await expect(asked("chat", { maxWaitMs: -1 })).rejects.toMatchObject({ code: "invalid_config" });
    await expect(asked("chat", { priority: "high" })).rejects.toMatchObject({ code: "invalid_config" });
    await expect(asked("chat", { patience: 1 })).rejects.toMatchObject({ code: "invalid_config" });
    expect(fixture.limiter.inspect().metrics.leasesGranted).toBe(0);
  });
});
