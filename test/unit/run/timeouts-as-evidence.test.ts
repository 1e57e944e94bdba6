// The effect of time-outs that a caller chose on the health of the provider.
import { describe, expect, it } from "vitest";
import type { RunOptions } from "../../../src/index.ts";
import { runFixture } from "../../support/run-fixture.ts";

const hang = () => new Promise<never>(() => {});

/** Returns the health of the provider after one time-out. `meanMs`: its usual latency; null: unknown. */
async function healthAfter(options: RunOptions, meanMs: number | null): Promise<number> {
  const { clock, limiter } = runFixture([{ name: "a" }]);
  if (meanMs !== null) {
    limiter.observe({ provider: "a", outcome: { status: "success", latencyMs: meanMs } });
  }
  limiter.run("chat", hang, { maxAttempts: 1, ...options }).catch(() => {});
  await clock.advanceMsAsync(100_000);
  return limiter.inspect().providers[0]!.health;
}

describe("a time-out as evidence", () => {
  it.each([
    { name: "timeoutMs below a second", options: { timeoutMs: 999 }, meanMs: null, isEvidence: false },
    { name: "timeoutMs of a second", options: { timeoutMs: 1_000 }, meanMs: null, isEvidence: true },
    { name: "timeoutMs of the mean", options: { timeoutMs: 1_000 }, meanMs: 1_000, isEvidence: false },
    { name: "timeoutMs of twice the mean", options: { timeoutMs: 2_000 }, meanMs: 1_000, isEvidence: true },
    { name: "timeoutMs of less than twice the mean", options: { timeoutMs: 1_999 }, meanMs: 1_000, isEvidence: false },
    { name: "timeoutMs of many means below 1 s", options: { timeoutMs: 500 }, meanMs: 10, isEvidence: false },
    { name: "attemptTimeoutMs below a second", options: { attemptTimeoutMs: 999 }, meanMs: null, isEvidence: false },
    { name: "attemptTimeoutMs of a second", options: { attemptTimeoutMs: 1_000 }, meanMs: null, isEvidence: true },
    { name: "attemptTimeoutMs below the mean", options: { attemptTimeoutMs: 199 }, meanMs: 200, isEvidence: false },
    { name: "attemptTimeoutMs above the mean", options: { attemptTimeoutMs: 201 }, meanMs: 200, isEvidence: true },
  ])("$name: $isEvidence with a mean of $meanMs ms", async ({ options, meanMs, isEvidence }) => {
    expect((await healthAfter(options, meanMs)) < 1).toBe(isEvidence);
  });

  it("no number of calls with timeoutMs 1 shuts healthy providers", async () => {
    const { clock, limiter } = runFixture([{ name: "a" }, { name: "b" }]);
    for (let i = 0; i < 50; i++) {
      limiter.run("chat", hang, { timeoutMs: 1 }).catch(() => {});
      await clock.advanceMsAsync(2);
    }
    expect(limiter.metrics.cooldownsTriggered).toBe(0);
    expect((await limiter.run("chat", () => "served")).value).toBe("served");
  });

  it("one reported latency of any size hides no time-out", async () => {
    for (const latencyMs of [1e6, 1e12, Number.MAX_VALUE]) {
      for (const before of [0, 5]) {
        const { clock, limiter } = runFixture([{ name: "a" }]);
        const observe = (ms: number) =>
          limiter.observe({ provider: "a", outcome: { status: "success", latencyMs: ms } });
        for (let i = 0; i < before; i++) observe(500);
        observe(latencyMs);
        for (let i = 0; i < 3; i++) observe(500);
        limiter.run("chat", hang, { attemptTimeoutMs: 30_000, maxAttempts: 1 }).catch(() => {});
        await clock.advanceMsAsync(30_001);
        expect(limiter.inspect().providers[0]!.health).toBeLessThan(1);
      }
    }
  });
});
