// A call is refused immediately if the waiters ahead of it leave nothing before its deadline, even if everything goes well.
import { describe, expect, it } from "vitest";
import { type GrateLimiterOptions, NoAvailableProviders } from "../../../src/index.ts";
import { chatFixture, flushPromises, LimiterFixture, rejection } from "../../support/limiter-fixture.ts";
import { seededRandom } from "../../support/seeded-random.ts";

interface Overload {
  readonly served: number;
  /** Waits (ms) of the refused calls. */
  readonly refusedAfter: readonly number[];
  readonly servedAfter: readonly number[];
}

/** Sends calls at a rate for a minute, each with a patience of 5 s. */
async function overload(
  providers: GrateLimiterOptions["providers"],
  perSecond: number,
  options: object = {},
): Promise<Overload> {
  const names = providers!.map(({ name }) => name);
  const fixture = new LimiterFixture({ providers, capabilities: { chat: names } });
  const random = seededRandom(perSecond);
  const refusedAfter: number[] = [];
  const servedAfter: number[] = [];
  const { clock, limiter } = fixture;
  for (let ms = 0; ms < 60_000; ms += 5) {
    await fixture.advanceTo(ms);
    if (random() >= perSecond / 200) continue;
    const since = clock.now();
    limiter
      .run("chat", () => servedAfter.push(clock.now() - since), { maxWaitMs: 5_000, ...options })
      .catch(() => {
        refusedAfter.push(clock.now() - since);
      });
  }
  for (let ms = 60_000; ms < 66_000; ms += 5) await fixture.advanceTo(ms);
  return { served: servedAfter.length, refusedAfter, servedAfter };
}

describe("a call with a patience of 5 s", () => {
  it.each([
    ["20 calls a second against 10", 1, 20],
    ["40 calls a second against two providers of 10", 2, 40],
  ] as const)("is refused within 100 ms or served: %s", async (_, count, perSecond) => {
    const names = ["a", "b"].slice(0, count);
    const providers = names.map((name) => ({ name, limits: { rps: 10 } }));
    const { served, refusedAfter, servedAfter } = await overload(providers, perSecond);
    const early = refusedAfter.filter((ms) => ms <= 100).length;
    expect(refusedAfter.length).toBeGreaterThan(400);
    expect(early / refusedAfter.length).toBeGreaterThanOrEqual(0.95);
    // A window more than the minute of the calls and the 5 s of the last ones.
    expect(served).toBeGreaterThanOrEqual(64 * 10 * count);
    expect(Math.max(...servedAfter)).toBeLessThanOrEqual(5_000);
  });

  it("is not refused because of calls of a lower priority", async () => {
    const fixture = chatFixture({ limits: { rps: 1 } });
    fixture.grant().settle();
    const low = Array.from({ length: 50 }, () => fixture.acquire({ maxWaitMs: 1e6, priority: -1 }));
    const high = Array.from({ length: 6 }, () => fixture.acquire({ maxWaitMs: 5_000 }));
    await flushPromises();
    expect(high.map(({ state }) => state)).toEqual([...Array(5).fill("waiting"), "rejected"]);
    expect(low.every(({ state }) => state === "waiting")).toBe(true);
    fixture.limiter.close();
  });

  it("is not refused because of the calls of another key", async () => {
    const fixture = chatFixture({ limits: { rps: 1 } });
    fixture.grant().settle();
    for (let i = 0; i < 50; i++) fixture.acquire({ maxWaitMs: 1e6, fairnessKey: "flood" });
    const calls = ["x", "x", "x", "x", "x", "x", "y"].map((fairnessKey) =>
      fixture.acquire({ maxWaitMs: 5_000, fairnessKey }),
    );
    await flushPromises();
    expect(calls.map(({ state }) => state)).toEqual([...Array(5).fill("waiting"), "rejected", "waiting"]);
    fixture.limiter.close();
  });
});

describe("the refusal", () => {
  it("states when the present queue leaves capacity for such a call", async () => {
    const fixture = chatFixture({ limits: { rps: 2 } });
    for (let i = 0; i < 2; i++) fixture.grant().settle();
    const serve = (maxWaitMs: number) => fixture.limiter.run("chat", () => fixture.clock.now(), { maxWaitMs });
    for (let i = 0; i < 20; i++) serve(1e6);
    const refused = fixture.acquire({ maxWaitMs: 5_000 });
    await flushPromises();
    const { kind, retryAfterMs, reasons } = rejection(refused);
    expect([kind, retryAfterMs]).toEqual(["refused", 11_000]);
    expect(reasons).toMatchObject([{ provider: "a", retryAfterMs: 11_000 }]);
    // A call that is more patient is served about then: a window releases its amounts up to 0.2 % late.
    const patient = serve(11_100);
    for (let ms = 1; ms <= 11_100; ms++) await fixture.advanceTo(ms);
    expect((await patient).value).toBeGreaterThanOrEqual(11_000);
  });

  it("counts tokens that are stated or learned, and no estimate before anything was learned", async () => {
    const fixture = chatFixture({ limits: { tpm: 1_000 } });
    const calls = Array.from({ length: 40 }, () => fixture.acquire({ maxWaitMs: 59_000 }));
    await flushPromises();
    // Ten calls reserve a tenth of the limit each. The others hope for smaller answers.
    expect(calls.filter(({ state }) => state === "rejected")).toEqual([]);
    for (const { lease } of calls) lease?.settle({ usage: { tokens: 5 } });
    await flushPromises();
    expect(calls.filter(({ state }) => state === "granted").length).toBe(40);
    const stated = Array.from({ length: 60 }, () => fixture.acquire({ maxWaitMs: 150_000, tokens: 100 }));
    await flushPromises();
    const states = stated.map(({ state }) => state);
    expect(states.filter((state) => state === "rejected").length).toBeGreaterThan(0);
    expect(states.lastIndexOf("waiting")).toBeLessThan(states.indexOf("rejected"));
    fixture.limiter.close();
  });

  it("does not concern retries, which keep their place, and calls without an end of their patience", async () => {
    const fixture = chatFixture({ limits: { rps: 1 } });
    fixture.grant().settle();
    for (let i = 0; i < 50; i++) fixture.acquire({ maxWaitMs: Infinity });
    const endless = fixture.acquire({ maxWaitMs: Infinity });
    await flushPromises();
    expect(endless.state).toBe("waiting");
    fixture.limiter.close();
    await flushPromises();
    expect(NoAvailableProviders.is(endless.error)).toBe(false);
  });
});

it("every refusal states when such a call could be served behind the queue", async () => {
  const fixture = new LimiterFixture({
    maxWaiting: 10,
    providers: [{ name: "a", limits: { rpm: 1 } }],
    capabilities: { chat: ["a"] },
  });
  fixture.grant().settle();
  for (let call = 0; call < 10; call++) fixture.acquire({ maxWaitMs: 1e7 });
  // Ten calls are ahead, one a minute.
  expect(fixture.refusal().retryAfterMs).toBeGreaterThanOrEqual(600_000);
  for (const maxWaitMs of [0, 100, 65_000]) {
    const refused = fixture.acquire({ maxWaitMs });
    await fixture.advance(0);
    expect((refused.error as NoAvailableProviders).retryAfterMs).toBeGreaterThanOrEqual(600_000);
  }
  const full = fixture.acquire({ maxWaitMs: 1e7 });
  await fixture.advance(0);
  expect(full.error).toMatchObject({ kind: "queue_full" });
  expect((full.error as NoAvailableProviders).retryAfterMs).toBeGreaterThanOrEqual(600_000);
});
