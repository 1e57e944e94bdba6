// Limits of each fairness key by itself. The model of leases checks them in random states (property/lease-model.test.ts).
import { describe, expect, it } from "vitest";
import { EngineTime } from "../../../src/clock/engine-time.ts";
import { GrateLimiter, type GrateLimiterOptions, InvalidConfig, MockClock } from "../../../src/index.ts";
import { anticipatory } from "../../../src/profile/anticipatory.ts";
import { KeyLimits } from "../../../src/provider/key-limits.ts";
import { LimiterFixture, LONG_WAIT, rejection, statesOf } from "../../support/limiter-fixture.ts";

function fixtureOf(keyLimits: GrateLimiterOptions["keyLimits"]) {
  return new LimiterFixture({
    keyLimits,
    providers: [
      { name: "a", price: { usdPerRequest: 0.01 } },
      { name: "b", limits: { concurrency: 1 } },
    ],
    capabilities: { chat: ["a"], mail: ["a"], sms: ["b"] },
  });
}

describe("limits of keys", () => {
  it("a key at its limit waits for it alone, and no other key waits", async () => {
    const fixture = fixtureOf({ rpm: 2 });
    const line = ["x", "x", "x", "y", undefined].map((fairnessKey) => fixture.acquire({ ...LONG_WAIT, fairnessKey }));
    await fixture.advance(0);
    expect(statesOf(line)).toEqual(["granted", "granted", "waiting", "granted", "granted"]);
    expect(fixture.limiter.inspect().queue.waitsFor["chat"]).toMatchObject([
      { provider: "a", reason: "quota", dimension: "requests", fairnessKey: "x", limit: 2, remaining: 0 },
    ]);
    for (const { lease } of line) lease?.settle();
    await fixture.advance(60_000);
    expect(line[2]!.state).toBe("granted");
  });

  it("the limit of a capability holds there alone, in addition to the limit of the key", async () => {
    const fixture = fixtureOf({ rpm: 3, capabilities: { chat: { rps: 1 } } });
    const ask = (capability: string) => fixture.acquire({ maxWaitMs: 0, fairnessKey: "x" }, capability);
    const line = [ask("chat"), ask("chat"), ask("mail"), ask("mail"), ask("mail")];
    await fixture.advance(0);
    expect(statesOf(line)).toEqual(["granted", "rejected", "granted", "granted", "rejected"]);
    expect(rejection(line[1]!).message).toContain('needs 1 request, 0 of 1 left for key "x"');
    expect(rejection(line[4]!).reasons).toMatchObject([{ window: "minute", fairnessKey: "x" }]);
  });

  it("a place of a key is free again when its request ends", async () => {
    const fixture = fixtureOf({ concurrency: 1 });
    const [first, second] = ["chat", "mail"].map((capability) =>
      fixture.acquire({ ...LONG_WAIT, fairnessKey: "x" }, capability),
    );
    await fixture.advance(0);
    expect(second!.state).toBe("waiting");
    first!.lease!.settle();
    await fixture.advance(0);
    expect(second!.state).toBe("granted");
  });

  it("a call that its key holds back claims nothing of a provider", async () => {
    const fixture = fixtureOf({ rpm: 1 });
    const held = fixture.acquire({ ...LONG_WAIT, fairnessKey: "x" }, "sms");
    await fixture.advance(0);
    held.lease!.settle();
    const line = [
      fixture.acquire({ ...LONG_WAIT, fairnessKey: "x", priority: 9 }, "sms"),
      fixture.acquire({ ...LONG_WAIT, fairnessKey: "y" }, "sms"),
    ];
    await fixture.advance(0);
    expect(statesOf(line)).toEqual(["waiting", "granted"]);
  });

  it("a demand that a key can never take is refused immediately, also while the provider is paused", async () => {
    const fixture = fixtureOf({ tpm: 100 });
    fixture.limiter.updateProvider("a", { paused: true });
    const asked = fixture.acquire({ ...LONG_WAIT, fairnessKey: "x", tokens: 101 });
    await fixture.advance(0);
    expect(rejection(asked).message).toContain("can never take 101 tokens");
    expect(rejection(asked).reasons).toMatchObject([{ reason: "too_large", fairnessKey: "x" }]);
  });

  it("money counts by the price, and a provider without one needs the cost of each call of a key", async () => {
    const fixture = fixtureOf({ usdPerDay: 0.02 });
    const line = [1, 2, 3].map(() => fixture.acquire({ maxWaitMs: 0, fairnessKey: "x" }));
    await fixture.advance(0);
    expect(statesOf(line)).toEqual(["granted", "granted", "rejected"]);
    const call = fixture.limiter.acquire("sms", { fairnessKey: "x" });
    await expect(call).rejects.toThrow('the limit of key "x" of $0.02 per day needs the cost of each request');
    await expect(fixture.limiter.acquire("sms")).resolves.toBeDefined();
  });

  it("of a flood of one key, those that cannot be served in time are refused immediately, and others are served", async () => {
    const fixture = fixtureOf({ rps: 10 });
    let [served, refusedAtOnce] = [0, 0];
    for (let i = 0; i < 200; i++) {
      fixture.limiter.acquire("chat", { maxWaitMs: 5_000, fairnessKey: "x" }).then(
        (lease) => {
          served++;
          lease.settle();
        },
        () => {
          if (fixture.clock.now() === 0) refusedAtOnce++;
        },
      );
    }
    const other = fixture.acquire({ maxWaitMs: 5_000, fairnessKey: "y" });
    await fixture.advance(0);
    expect(refusedAtOnce).toBeGreaterThanOrEqual(130);
    expect(other.state).toBe("granted");
    for (let second = 0; second < 6; second++) await fixture.advance(1_000);
    expect(served).toBeGreaterThanOrEqual(50);
  });

  it("run and map keep them with retries, and nothing stays in flight", async () => {
    const clock = new MockClock();
    const limiter = new GrateLimiter({
      clock,
      keyLimits: { concurrency: 2 },
      providers: [{ name: "a" }, { name: "b" }],
      capabilities: { chat: ["a", "b"] },
    });
    let [running, most, failures] = [0, 0, 3];
    const task = async () => {
      most = Math.max(most, ++running);
      await new Promise<void>((resolve) => void clock.wakeAt(clock.now() + 10, () => resolve()));
      running--;
      if (failures-- > 0) throw Object.assign(new Error("busy"), { status: 503 });
    };
    const results = limiter.map("chat", Array(20).keys(), task, { fairnessKey: "x" }).toArray();
    await clock.advanceMsAsync(60_000);
    expect((await results).every(({ ok }) => ok)).toBe(true);
    expect(most).toBe(2);
    expect(limiter.inspect().providers.map(({ inFlight }) => inFlight)).toEqual([0, 0]);
  });

  it("invalid limits are named with their paths, and the classic profile has none", () => {
    const build = (options: object) => () => new GrateLimiter(options);
    expect(build({ keyLimits: { rpm: -1, tpn: 5, capabilities: { chat: { rpm: "3" } } } })).toThrow(InvalidConfig);
    expect(build({ keyLimits: { rpm: -1 } })).toThrow("keyLimits.rpm");
    expect(build({ keyLimits: { capabilities: { chat: { rpm: "3" } } } })).toThrow("keyLimits.capabilities.chat.rpm");
    expect(build({ keyLimits: { tpn: 5 } })).toThrow('"tpm"');
    expect(build({ profile: "classic", keyLimits: { rpm: 1 } })).toThrow("in the classic profile");
  });
});

describe("what is kept of keys", () => {
  const demand = (requests: number) => ({ amounts: [requests, 0, 0, 0, 0, 0, 0], variance: 0, costPerToken: 0 });

  it("unused keys disappear while new ones come, and those in use stay", () => {
    const limits = new KeyLimits({ rpm: 5 }, anticipatory, new EngineTime(new MockClock()));
    const busy = limits.of("busy", "chat", 0)!;
    busy.leaseGranted();
    const counted = limits.of("counted", "chat", 0)!.quotas[0]!;
    counted.reserve(1, 0, 0, 0, Infinity).commit(0);
    for (let i = 0; i < 10_000; i++) limits.of(`key ${i}`, "chat", 1);
    expect(limits.size).toBeLessThan(10);
    expect(limits.of("busy", "chat", 1)).toBe(busy);
    expect(limits.of("counted", "chat", 1)!.quotas[0]).toBe(counted);
    expect(limits.of("counted", "chat", 1)!.isOpenFor(demand(5), { priority: 0, order: 0 }, 1)).toBe(false);
    for (let i = 0; i < 100; i++) limits.of(`later ${i}`, "chat", 70_000);
    expect(limits.of("counted", "chat", 70_000)!.quotas[0]).not.toBe(counted);
    expect(limits.of("busy", "chat", 70_000)).toBe(busy);
  });

  it("a call without a key, and one without limits, has none", () => {
    const limits = new KeyLimits({ capabilities: { chat: { rpm: 1 } } }, anticipatory, new EngineTime(new MockClock()));
    expect(limits.of(undefined, "chat", 0)).toBeNull();
    expect(limits.of("x", "mail", 0)).toBeNull();
    expect(limits.of("x", "chat", 0)?.quotas).toHaveLength(1);
  });
});
