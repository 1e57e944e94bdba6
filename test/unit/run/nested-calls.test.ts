// Calls inside a task of the same limiter while the outer calls hold its places.
import { describe, expect, it } from "vitest";
import { collect, delayedTask, range } from "../../support/map-fixture.ts";
import { never, refusalOf, runFixture, watch } from "../../support/run-fixture.ts";

const MINUTE = 60_000;
// Longer than every test: outer leases never expire.
const FOREVER = { leaseTimeoutMs: 1e9 };

describe("run inside a task of the same limiter", () => {
  it("the error of a full provider says that calls of this limiter hold its places, and for how long", async () => {
    const { limiter, clock } = runFixture([{ name: "a", limits: { concurrency: 1 } }]);
    const outer = watch(limiter.run("chat", () => limiter.run("chat", () => 1, { maxWaitMs: 5_000 }), FOREVER));
    await clock.advanceMsAsync(5_000);
    const error = await refusalOf(Promise.reject(outer.error));
    expect(error.message).toBe(
      'no provider available for "chat": timed out; "a": 1 of 1 places are held by calls of this limiter, the oldest for 5 s',
    );
    expect(error.reasons).toMatchObject([{ reason: "concurrency", heldForMs: 5_000 }]);
  });

  it("places that no lease holds are not said to be held", () => {
    const { limiter } = runFixture([{ name: "a", limits: { concurrency: 0 } }]);
    const refusal = limiter.tryAcquire("chat");
    expect(refusal.granted ? [] : refusal.reasons.map((reason) => "heldForMs" in reason)).toEqual([false]);
  });

  it("the time is that of the oldest lease that is open", () => {
    const { limiter, clock } = runFixture([{ name: "a", limits: { concurrency: 2 } }]);
    const held = () => {
      const refusal = limiter.tryAcquire("chat");
      return refusal.granted ? null : (refusal.reasons[0] as { heldForMs?: number }).heldForMs;
    };
    const first = limiter.tryAcquire("chat");
    clock.advanceMs(100);
    limiter.tryAcquire("chat");
    clock.advanceMs(50);
    expect(held()).toBe(150);
    if (first.granted) first.settle();
    limiter.tryAcquire("chat");
    expect(held()).toBe(50);
  });
});

describe("map inside a task of the same limiter", () => {
  it("items fail when no place was freed for leaseTimeoutMs, all of them together", async () => {
    const { limiter, clock } = runFixture([{ name: "a", limits: { concurrency: 2 } }], { leaseTimeoutMs: MINUTE });
    const inner = () => collect(limiter.map("chat", range(5), (item) => item));
    const outer = [1, 2].map(() => watch(limiter.run("chat", inner, FOREVER)));
    await clock.advanceMsAsync(MINUTE - 1);
    expect(outer.map(({ state }) => state)).toEqual(["open", "open"]);
    await clock.advanceMsAsync(2);
    for (const { value } of outer) {
      const results = value!.value;
      expect(results.map(({ ok }) => ok)).toEqual([false, false, false, false, false]);
      expect(results[0]).toMatchObject({
        error: {
          kind: "timed_out",
          message: expect.stringContaining("held by calls of this limiter, the oldest for 60 s"),
        },
      });
    }
    expect(limiter.inspect().waiting).toEqual({});
  });

  it("items wait as long as places are freed from time to time", async () => {
    const fixture = runFixture([{ name: "a", limits: { concurrency: 1 } }], { leaseTimeoutMs: MINUTE });
    const { limiter, clock } = fixture;
    // Higher priority: the item waits behind five calls of 50 s each.
    const others = range(5).map(() =>
      limiter.run("chat", () => delayedTask(fixture, 50_000)(0), { priority: 1, maxWaitMs: 1e6 }),
    );
    const results = watch(collect(limiter.map("chat", [0], (item) => item)));
    await clock.advanceMsAsync(260_000);
    expect(results.value).toMatchObject([{ ok: true }]);
    await Promise.all(others);
  });

  it("an explicit maxWaitMs holds, also an endless one", async () => {
    const { limiter, clock } = runFixture([{ name: "a", limits: { concurrency: 1 } }], { leaseTimeoutMs: MINUTE });
    limiter.run("chat", never, FOREVER);
    const endless = watch(collect(limiter.map("chat", [0], (item) => item, { maxWaitMs: Number.POSITIVE_INFINITY })));
    const long = watch(collect(limiter.map("chat", [0], (item) => item, { maxWaitMs: 3 * MINUTE })));
    await clock.advanceMsAsync(3 * MINUTE);
    expect(endless.state).toBe("open");
    expect(long.value).toMatchObject([{ ok: false, error: { kind: "timed_out" } }]);
    await clock.advanceMsAsync(10 * MINUTE);
    expect(endless.state).toBe("open");
    limiter.close();
  });

  it("an item that another provider can serve later waits for it", async () => {
    const { limiter, clock } = runFixture(
      [
        { name: "a", limits: { concurrency: 1 } },
        { name: "b", limits: { rph: 1 } },
      ],
      { leaseTimeoutMs: MINUTE },
    );
    limiter.run("chat", never, { ...FOREVER, only: ["a"] });
    await limiter.run("chat", () => 1);
    const results = watch(collect(limiter.map("chat", [0], (item) => item)));
    await clock.advanceMsAsync(3_610_000);
    expect(results.value).toMatchObject([{ ok: true, provider: "b" }]);
    limiter.close();
  });
});
