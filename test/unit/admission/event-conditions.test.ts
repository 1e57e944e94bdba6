// An event is emitted exactly if its condition is true.
import { expect, it } from "vitest";
import { GrateLimiter, MockClock } from "../../../src/index.ts";
import { LimiterFixture } from "../../support/limiter-fixture.ts";

it("usage that arrives too late to count does not emit limitReached", () => {
  const fixture = new LimiterFixture({
    providers: [{ name: "a", limits: { tpm: 1_000 } }],
    capabilities: { chat: ["a"] },
  });
  const lease = fixture.grant({ tokens: 100 });
  const recorded = fixture.recordEvents();
  fixture.clock.advanceMs(90_000);
  // The window of the request is over, so no part of it counts.
  lease.settle({ usage: { tokens: 1_200 } });
  expect(fixture.quota("tokens").remaining).toBe(1_000);
  expect(recorded.filter(({ event }) => event === "limitReached")).toEqual([]);
});

it("usage that is larger than its estimate emits limitReached", () => {
  const fixture = new LimiterFixture({
    providers: [{ name: "a", limits: { tpm: 1_000 } }],
    capabilities: { chat: ["a"] },
  });
  const lease = fixture.grant({ tokens: 100 });
  lease.headersReceived();
  const recorded = fixture.recordEvents();
  lease.settle({ usage: { tokens: 1_000 } });
  expect(recorded.filter(({ event }) => event === "limitReached")).toHaveLength(1);
});

it("a cooldown of length 0 emits neither cooldownStarted nor cooldownEnded", () => {
  const limiter = new GrateLimiter({
    profile: "classic",
    clock: new MockClock(),
    providers: [{ name: "a", cooldownSeconds: 0.5 }],
    capabilities: { chat: ["a"] },
  });
  const recorded: string[] = [];
  limiter.on("cooldownStarted", ({ durationMs }) => recorded.push(`started, ${durationMs}`));
  limiter.on("cooldownEnded", () => recorded.push("ended"));
  for (let i = 0; i < 3; i++) limiter.observe({ provider: "a", outcome: { status: "server_error" } });
  limiter.inspect();
  expect(recorded).toEqual([]);
});

it.each(["sliding_window", "token_bucket", "fixed_window"] as const)(
  "a limit that is lowered and raised again keeps its usage: %s",
  (strategy) => {
    const limiter = new GrateLimiter({
      clock: new MockClock(),
      providers: [{ name: "a", quotas: [{ dimension: "requests", limit: 100, window: "minute", strategy }] }],
      capabilities: { chat: ["a"] },
    });
    limiter.observe({ provider: "a", usage: { requests: 100 }, outcome: { status: 200 } });
    for (const limit of [10, 0, 100]) {
      limiter.updateProvider("a", { quotas: [{ dimension: "requests", limit, window: "minute", strategy }] });
      expect(limiter.remainingQuota("a", "requests")).toBe(0);
    }
  },
);

it("a token bucket counts the corrected usage if a reported amount was too large", () => {
  const fixture = new LimiterFixture({
    providers: [
      { name: "a", quotas: [{ dimension: "tokens", limit: 100, window: "minute", strategy: "token_bucket" }] },
    ],
    capabilities: { chat: ["a"] },
  });
  const lease = fixture.grant({ tokens: 10 });
  lease.headersReceived();
  lease.report({ tokens: 1_000 });
  lease.settle({ usage: { tokens: 90 } });
  expect(fixture.counted("tokens")).toBe(90);
});
