// How calls behave between two attempts and when they end early.
import { EventEmitter, on } from "node:events";
import { describe, expect, it } from "vitest";
import { GrateLimiter, MockClock, NoAvailableProviders } from "../../../src/index.ts";
import { flushPromises } from "../../support/limiter-fixture.ts";

const failing = (status: number) => Object.assign(new Error("down"), { status });

function sleeper(clock: MockClock): (ms: number) => Promise<void> {
  return (ms) =>
    new Promise((resolve) => {
      clock.wakeAt(clock.now() + ms, resolve);
    });
}

it("each call backs off between two attempts on a full provider", async () => {
  const clock = new MockClock();
  const sleep = sleeper(clock);
  const limiter = new GrateLimiter({
    clock,
    random: () => 0.999,
    retryBudget: { perMinute: 1_000 },
    health: { cooldownTriggerCount: 1_000, penalty5xx: 0 },
    providers: [{ name: "a", limits: { concurrency: 1 } }],
    capabilities: { chat: ["a"] },
  });
  const began: { readonly [who: string]: number[] } = { first: [], second: [] };
  const calls = Object.keys(began).map((who) => {
    const task = async () => {
      began[who]!.push(clock.now());
      await sleep(10);
      throw failing(500);
    };
    return limiter.run("chat", task, { maxAttempts: 3 }).catch((error: unknown) => error);
  });
  await clock.advanceMsAsync(60_000);
  for (const error of await Promise.all(calls)) expect(error).toMatchObject({ kind: "attempts_failed" });
  for (const [first, second, third] of Object.values(began)) {
    expect(second! - first!).toBeGreaterThan(400);
    expect(third! - second!).toBeGreaterThan(900);
  }
});

it("an item that is retried keeps its arrival time, however many others wait", async () => {
  const clock = new MockClock();
  const sleep = sleeper(clock);
  const limiter = new GrateLimiter({
    clock,
    skewCapMs: Number.POSITIVE_INFINITY,
    random: () => 0.5,
    health: { penalty5xx: 0 },
    providers: [{ name: "a", limits: { tpm: 100 } }],
    capabilities: { chat: ["a"] },
  });
  const held = [30, 30].map((tokens) => limiter.tryAcquire("chat", { tokens }));
  const results = limiter.map(
    "chat",
    [40, 30, 30],
    async (item) => {
      if (item !== 40) return item;
      await sleep(4_000);
      throw failing(500);
    },
    { timeoutMs: 5_000, tokens: 30 },
  );
  const received: [index: number, at: number][] = [];
  const reading = (async () => {
    for await (const { index } of results) received.push([index, clock.now()]);
  })();
  await clock.advanceMsAsync(3_900);
  if (held[0]!.granted) held[0]!.release();
  await clock.advanceMsAsync(60_000);
  await reading;
  expect(received.find(([index]) => index === 0)).toEqual([0, 5_000]);
});

describe("a failover that a listener prevents", () => {
  it("a prevented failover starts no attempt and keeps no place", async () => {
    const limiter = new GrateLimiter({
      clock: new MockClock(),
      providers: [{ name: "a" }, { name: "b", priority: 5 }],
      capabilities: { chat: ["a", "b"] },
    });
    const controller = new AbortController();
    const reason = new Error("no failover wanted");
    limiter.on("failover", () => controller.abort(reason));
    const called: string[] = [];
    const call = limiter.run(
      "chat",
      ({ provider }) => {
        called.push(provider);
        throw failing(503);
      },
      { signal: controller.signal },
    );
    await expect(call).rejects.toBe(reason);
    expect(called).toEqual(["a"]);
    expect(limiter.inspect().providers.map(({ inFlight }) => inFlight)).toEqual([0, 0]);
  });
});

it("a stream gives up a source that never yields its first chunk", async () => {
  const clock = new MockClock();
  const socket = new EventEmitter();
  const limiter = new GrateLimiter({ clock, providers: [{ name: "a" }], capabilities: { chat: ["a"] } });
  const begun = limiter.stream("chat", () => on(socket, "message"), { attemptTimeoutMs: 1_000, maxAttempts: 1 });
  const outcome = begun.catch((error: unknown) => NoAvailableProviders.is(error) && error.kind);
  await clock.advanceMsAsync(1_000);
  expect(await outcome).toBe("attempts_failed");
  await flushPromises();
  expect(socket.listenerCount("message")).toBe(0);
});

it("a call keeps the options that it received, even if the caller changes the object later", async () => {
  const clock = new MockClock();
  const limiter = new GrateLimiter({
    clock,
    providers: [
      { name: "a", limits: { tpm: 1_000 } },
      { name: "b", limits: { tpm: 1_000 }, priority: 5 },
    ],
    capabilities: { chat: ["a", "b"] },
  });
  const options = { tokens: 10 };
  const reserved: [string, number | undefined][] = [];
  const call = limiter.run(
    "chat",
    ({ provider, lease }) => {
      reserved.push([provider, lease.reserved.tokens]);
      if (provider === "a") throw failing(503);
    },
    options,
  );
  options.tokens = 500;
  await clock.advanceMsAsync(1_000);
  await call;
  expect(reserved).toEqual([
    ["a", 10],
    ["b", 10],
  ]);
});

describe("`maxOutputTokens` above a limit", () => {
  it.each([
    ["of input tokens", { itpm: 20_000, otpm: 64_000 }],
    ["of output tokens", { itpm: 50_000, otpm: 8_000 }],
  ])("a maxOutputTokens above a limit does not exclude a request before sizes are learned: %s", async (_, limits) => {
    const limiter = new GrateLimiter({
      clock: new MockClock(),
      providers: [{ name: "a", limits }],
      capabilities: { chat: ["a"] },
    });
    const { value } = await limiter.run("chat", () => "answer", { maxOutputTokens: 32_000, maxWaitMs: 0 });
    expect(value).toBe("answer");
    // Stated amounts do exclude a request.
    const answer = limiter.tryAcquire("chat", { inputTokens: 60_000, maxOutputTokens: 1 });
    expect(answer.granted === false && answer.reasons[0]!.reason).toBe("too_large");
  });
});

it("bad health does not hide a ramp in progress", () => {
  const clock = new MockClock();
  const limiter = new GrateLimiter({
    clock,
    minimumHealthScore: 0.5,
    health: { decayHalfLifeSeconds: 1, penalty5xx: 0.7, cooldownTriggerCount: 100 },
    providers: [{ name: "a", limits: { rpm: 6 } }],
    capabilities: { chat: ["a"] },
  });
  limiter.observe({ provider: "a", outcome: { status: 429, retryAfterMs: 1_000 } });
  clock.advanceMs(1_000);
  const trial = limiter.tryAcquire("chat");
  if (trial.granted) trial.settle();
  const ramped = limiter.tryAcquire("chat");
  if (!ramped.granted) throw new Error("refused");
  ramped.settle({ status: "server_error" });
  const refusal = limiter.tryAcquire("chat");
  if (refusal.granted) throw new Error("granted");
  expect(refusal.reasons[0]).toMatchObject({ reason: "unhealthy" });
  clock.advanceMs(refusal.retryAfterMs! - 1);
  expect(limiter.tryAcquire("chat").granted).toBe(false);
  clock.advanceMs(1);
  expect(limiter.tryAcquire("chat").granted).toBe(true);
});
