import { describe, expect, it } from "vitest";
import { GrateLimiter, InvalidConfig, MockClock, NoAvailableProviders } from "../../../src/index.ts";
import { flushPromises } from "../../support/limiter-fixture.ts";

const EPOCH = Date.UTC(2026, 0, 1);

function limiterOf(...names: readonly string[]) {
  const clock = new MockClock({ epochMs: EPOCH });
  const providers = names.map((name) => ({ name }));
  return { clock, limiter: new GrateLimiter({ clock, providers, capabilities: { chat: names } }) };
}

const settled = (promise: Promise<unknown>) => {
  const seen: { outcome: unknown; isOpen: boolean } = { outcome: undefined, isOpen: true };
  const end = (outcome: unknown) => Object.assign(seen, { outcome, isOpen: false });
  promise.then(end, end);
  return seen;
};

describe("a paused provider", () => {
  it("waiting and new calls stay in the queue until the pause ends", async () => {
    const { clock, limiter } = limiterOf("a");
    const lease = limiter.tryAcquire("chat");
    expect(lease.granted).toBe(true);
    limiter.updateProvider("a", { paused: true });
    const calls = [1, 2].map(() => settled(limiter.acquire("chat", { maxWaitMs: 1e9 })));
    await clock.advanceMsAsync(1e6);
    expect(calls.map(({ isOpen }) => isOpen)).toEqual([true, true]);
    limiter.updateProvider("a", { paused: false });
    await flushPromises();
    expect(calls.map(({ outcome }) => outcome)).toMatchObject([{ provider: "a" }, { provider: "a" }]);
  });

  it("a call ends with its patience, and tryAcquire never waits", async () => {
    const { clock, limiter } = limiterOf("a");
    limiter.updateProvider("a", { paused: true });
    expect(limiter.tryAcquire("chat")).toMatchObject({
      granted: false,
      retryAfterMs: null,
      reasons: [{ reason: "paused" }],
    });
    const call = settled(limiter.run("chat", () => 1, { maxWaitMs: 5_000 }));
    await clock.advanceMsAsync(4_999);
    expect(call.isOpen).toBe(true);
    await clock.advanceMsAsync(1);
    expect(call.outcome).toMatchObject({ kind: "timed_out" });
  });

  it("with pausedUntil the instant is known: calls wait for it, and are refused immediately if it is too late", async () => {
    const { clock, limiter } = limiterOf("a");
    limiter.updateProvider("a", { pausedUntil: EPOCH + 30_000 });
    expect(limiter.inspect().providers[0]!.state).toBe("paused");
    expect(limiter.tryAcquire("chat")).toMatchObject({ granted: false, retryAfterMs: 30_000 });
    await expect(limiter.acquire("chat", { maxWaitMs: 29_000 })).rejects.toSatisfy(NoAvailableProviders.is);
    const call = settled(limiter.acquire("chat", { maxWaitMs: 31_000 }));
    await clock.advanceMsAsync(29_999);
    expect(call.isOpen).toBe(true);
    await clock.advanceMsAsync(1);
    expect(call.outcome).toMatchObject({ provider: "a" });
    expect(limiter.inspect().providers[0]!.state).toBe("available");
    expect(limiter.select("chat").provider).toBe("a");
  });

  it("another provider serves meanwhile, and a call that failed there does not wait for the paused one", async () => {
    const { limiter } = limiterOf("a", "b");
    limiter.updateProvider("a", { paused: true });
    expect((await limiter.run("chat", ({ provider }) => provider)).value).toBe("b");
    const refused = limiter.run("chat", () => Promise.reject(Object.assign(new Error("no"), { status: 401 })));
    await expect(refused).rejects.toMatchObject({ kind: "attempts_failed" });
  });

  it("the last of paused and pausedUntil counts, and an invalid instant changes nothing", () => {
    const { limiter } = limiterOf("a");
    const state = () => limiter.inspect().providers[0]!.state;
    limiter.updateProvider("a", { paused: true });
    limiter.updateProvider("a", { weight: 2 });
    expect(state()).toBe("paused");
    limiter.updateProvider("a", { paused: false });
    expect(state()).toBe("available");
    limiter.updateProvider("a", { pausedUntil: EPOCH - 1 });
    expect(state()).toBe("available");
    expect(() => limiter.updateProvider("a", { pausedUntil: Number.NaN })).toThrow(InvalidConfig);
    limiter.upsertProvider({ name: "a", paused: true, pausedUntil: EPOCH + 5_000 });
    expect(limiter.tryAcquire("chat")).toMatchObject({ retryAfterMs: 5_000 });
  });
});
