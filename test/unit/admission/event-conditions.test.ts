// Events say what happened, and nothing else.
import { expect, it } from "vitest";
import { GrateLimiter, MockClock } from "../../../src/index.ts";
import { Desk } from "../../support/limiter-fixture.ts";

it("no limit is reached by what comes too late to count", () => {
  const one = new Desk({ providers: [{ name: "a", limits: { tpm: 1_000 } }], capabilities: { chat: ["a"] } });
  const lease = one.take({ tokens: 100 });
  const heard = one.listen();
  one.clock.advanceMs(90_000);
  // Its window is over: nothing of it counts any more.
  lease.settle({ usage: { tokens: 1_200 } });
  expect(one.quota("tokens").remaining).toBe(1_000);
  expect(heard.filter(({ event }) => event === "limitReached")).toEqual([]);
});

it("a limit is reached by what turns out to be more", () => {
  const one = new Desk({ providers: [{ name: "a", limits: { tpm: 1_000 } }], capabilities: { chat: ["a"] } });
  const lease = one.take({ tokens: 100 });
  lease.headersReceived();
  const heard = one.listen();
  lease.settle({ usage: { tokens: 1_000 } });
  expect(heard.filter(({ event }) => event === "limitReached")).toHaveLength(1);
});

it("a cooldown of no length is told neither at its start nor at its end", () => {
  const limiter = new GrateLimiter({
    profile: "classic",
    clock: new MockClock(),
    providers: [{ name: "a", cooldownSeconds: 0.5 }],
    capabilities: { chat: ["a"] },
  });
  const heard: string[] = [];
  limiter.on("cooldownStarted", ({ durationMs }) => heard.push(`started, ${durationMs}`));
  limiter.on("cooldownEnded", () => heard.push("ended"));
  for (let i = 0; i < 3; i++) limiter.observe({ provider: "a", outcome: { status: "server_error" } });
  limiter.inspect();
  expect(heard).toEqual([]);
});

it.each(["sliding_window", "token_bucket", "fixed_window"] as const)(
  "a limit that is lowered and raised again has forgotten nothing: %s",
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

it("what was reported and turns out smaller is what counts: token bucket", () => {
  const one = new Desk({
    providers: [
      { name: "a", quotas: [{ dimension: "tokens", limit: 100, window: "minute", strategy: "token_bucket" }] },
    ],
    capabilities: { chat: ["a"] },
  });
  const lease = one.take({ tokens: 10 });
  lease.headersReceived();
  lease.report({ tokens: 1_000 });
  lease.settle({ usage: { tokens: 90 } });
  expect(one.counted("tokens")).toBe(90);
});
