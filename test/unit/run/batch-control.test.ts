// How a batch is stopped without loss, how it shows its progress, and how a limiter is drained.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GrateLimiterError, InvalidConfig } from "../../../src/index.ts";
import { flushPromises } from "../../support/limiter-fixture.ts";
import {
  expectIdle,
  HttpError,
  never,
  type RunFixture,
  rejection,
  runFixture,
  watch,
} from "../../support/run-fixture.ts";

function sleep({ clock }: RunFixture, ms: number): Promise<void> {
  return new Promise((resolve) => void clock.wakeAt(clock.now() + ms, resolve));
}

const isClosed = (error: unknown) => GrateLimiterError.is(error) && error.code === "closed";

describe("stopSignal of map", () => {
  it("every item of which an attempt began is yielded, no other is, and the source is closed", async () => {
    const scenario = fc.record({
      items: fc.integer({ min: 0, max: 40 }),
      places: fc.integer({ min: 1, max: 5 }),
      rpm: fc.integer({ min: 1, max: 60 }),
      workMs: fc.integer({ min: 0, max: 5_000 }),
      stopAtMs: fc.integer({ min: 0, max: 20_000 }),
      sizes: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(scenario, async ({ items, places, rpm, workMs, stopAtMs, sizes }) => {
        const fixture = runFixture([{ name: "a", limits: { concurrency: places, rpm } }]);
        const { limiter, clock } = fixture;
        const stop = new AbortController();
        const begun: number[] = [];
        let isSourceClosed = false;
        function* source() {
          try {
            for (let index = 0; index < items; index++) yield index;
          } finally {
            isSourceClosed = true;
          }
        }
        const task = async (index: number) => {
          begun.push(index);
          await sleep(fixture, workMs);
          if (index % 7 === 3) throw Object.assign(new Error("bad"), { status: 400 });
          return index;
        };
        const results = limiter.map("chat", source(), task, {
          stopSignal: stop.signal,
          ...(sizes && { needs: () => ({ requests: 1 }) }),
        });
        const all = results.toArray();
        await clock.advanceMsAsync(stopAtMs);
        stop.abort();
        const begunBefore = [...begun];
        await clock.advanceMsAsync(10_000_000);
        const ended = await all;
        expect(begun).toEqual(begunBefore);
        expect(ended.map(({ index }) => index).sort((a, b) => a - b)).toEqual(begun.sort((a, b) => a - b));
        for (const result of ended) expect(result.ok).toBe(result.index % 7 !== 3);
        expect(isSourceClosed).toBe(true);
        const { completed, failed, inFlight, waiting } = results.progress;
        expect([completed + failed, inFlight, waiting]).toEqual([begun.length, 0, 0]);
        expectIdle(fixture);
      }),
      { numRuns: 60 },
    );
  });

  it("a batch with a stopSignal that has already aborted yields nothing", async () => {
    const fixture = runFixture([{ name: "a" }]);
    const results = fixture.limiter.map("chat", [1, 2], () => expect.unreachable(), {
      stopSignal: AbortSignal.abort(),
    });
    expect(await results.toArray()).toEqual([]);
    expectIdle(fixture);
  });
});

describe("progress of map", () => {
  it("the state has the numbers of items, their rate, and the time until the end", async () => {
    const fixture = runFixture([{ name: "a", limits: { concurrency: 2 } }]);
    const { limiter, clock } = fixture;
    const results = limiter.map("chat", [1, 2, 3, 4, 5], async (item) => {
      await sleep(fixture, 1_000);
      if (item === 2) throw Object.assign(new Error("bad"), { status: 400 });
    });
    expect(results.progress).toEqual({
      ...{ total: 5, completed: 0, failed: 0, inFlight: 0, waiting: 0 },
      ...{ perSecond: null, etaMs: null },
    });
    const all = results.toArray();
    await clock.advanceMsAsync(1_500);
    expect(results.progress).toMatchObject({ total: 5, completed: 1, failed: 1, inFlight: 2 });
    await clock.advanceMsAsync(500);
    expect(results.progress).toMatchObject({ completed: 3, failed: 1, perSecond: 2, etaMs: 500 });
    await clock.advanceMsAsync(5_000);
    expect(await all).toHaveLength(5);
    expect(results.progress).toMatchObject({ completed: 4, failed: 1, inFlight: 0, waiting: 0, etaMs: 0 });
  });

  it("the total of a set is known, and the total of a generator is not", () => {
    const { limiter } = runFixture([{ name: "a" }]);
    const totalOf = (items: Iterable<unknown>) => limiter.map("chat", items, () => 1).progress.total;
    expect(totalOf(new Set([1, 2]))).toBe(2);
    expect(totalOf([1].values())).toBeNull();
  });
});

describe("close with drain", () => {
  it("calls that have begun end, leases are waited for, and new calls are refused", async () => {
    const fixture = runFixture([{ name: "a", limits: { concurrency: 1 } }]);
    const { limiter, clock } = fixture;
    const lease = await limiter.acquire("chat");
    const waiting = limiter.run("chat", () => sleep(fixture, 3_000));
    let isDrained = false;
    const closed = limiter.close({ drain: true }).then(() => {
      isDrained = true;
    });
    expect(isClosed(await rejection(limiter.run("chat", () => 1)))).toBe(true);
    expect(isClosed(await rejection(limiter.acquire("chat")))).toBe(true);
    expect(() => limiter.tryAcquire("chat")).toThrow("closed");
    expect(() => limiter.select("chat")).toThrow("closed");
    await clock.advanceMsAsync(1_000);
    lease.settle();
    await clock.advanceMsAsync(2_999);
    expect(isDrained).toBe(false);
    await clock.advanceMsAsync(1);
    await waiting;
    await closed;
    expectIdle(fixture);
  });

  it("a call that backs off between two attempts is waited for", async () => {
    const fixture = runFixture([{ name: "a" }]);
    const { limiter, clock } = fixture;
    let attempts = 0;
    const call = limiter.run("chat", () => {
      if (attempts++ === 0) throw Object.assign(new Error("down"), { status: 500 });
      return "served";
    });
    await flushPromises();
    const closed = limiter.close({ drain: true });
    await clock.advanceMsAsync(10_000);
    expect((await call).value).toBe("served");
    await closed;
  });

  it("after timeoutMs the queued calls are rejected, and running tasks go on", async () => {
    const fixture = runFixture([{ name: "a", limits: { concurrency: 1 } }]);
    const { limiter, clock } = fixture;
    const running = limiter.run("chat", () => sleep(fixture, 60_000).then(() => "served"));
    const queued = rejection(limiter.run("chat", () => expect.unreachable(), { maxWaitMs: 1e6 }));
    await flushPromises();
    const closed = limiter.close({ drain: true, timeoutMs: 5_000 });
    await clock.advanceMsAsync(5_000);
    await closed;
    expect(isClosed(await queued)).toBe(true);
    await clock.advanceMsAsync(60_000);
    expect((await running).value).toBe("served");
    expectIdle(fixture);
  });

  it("a lease that is never settled ends the drain when it expires", async () => {
    const { limiter, clock } = runFixture([{ name: "a" }], { leaseTimeoutMs: 20_000 });
    await limiter.acquire("chat");
    let isDrained = false;
    const closed = limiter.close({ drain: true }).then(() => {
      isDrained = true;
    });
    await clock.advanceMsAsync(19_999);
    expect(isDrained).toBe(false);
    await clock.advanceMsAsync(1);
    await closed;
  });

  it("a map ends its running items and then rejects with code closed", async () => {
    const fixture = runFixture([{ name: "a", limits: { concurrency: 2 } }]);
    const { limiter, clock } = fixture;
    const results = limiter.map("chat", [1, 2, 3, 4, 5, 6], (item) => sleep(fixture, 1_000).then(() => item));
    const seen: number[] = [];
    const reading = rejection(
      (async () => {
        for await (const result of results) if (result.ok) seen.push(result.value);
      })(),
    );
    await clock.advanceMsAsync(500);
    const closed = limiter.close({ drain: true });
    await clock.advanceMsAsync(10_000);
    await closed;
    expect(isClosed(await reading)).toBe(true);
    expect(seen.slice(0, 2).sort()).toEqual([1, 2]);
    expectIdle(fixture);
  });

  it("several drains end together, a plain close ends them, and an idle limiter is drained immediately", async () => {
    const { limiter } = runFixture([{ name: "a" }]);
    const lease = await limiter.acquire("chat");
    const drains = [limiter.close({ drain: true }), limiter.close({ drain: true, timeoutMs: 1e6 })];
    await limiter.close();
    await Promise.all(drains);
    lease.settle();
    await limiter.close({ drain: true });
    const idle = runFixture([{ name: "a" }]).limiter;
    await idle.close({ drain: true });
    expect(() => idle.tryAcquire("chat")).toThrow("closed");
  });

  it("invalid options change nothing", () => {
    const { limiter } = runFixture([{ name: "a" }]);
    expect(() => limiter.close({ drain: "yes", timeoutMs: -1 } as never)).toThrow(InvalidConfig);
    expect(limiter.tryAcquire("chat").granted).toBe(true);
  });
});

describe("a batch beside tasks that go on", () => {
  it("an item counts once, however many of its tasks still run", async () => {
    const { clock, limiter } = runFixture(["a"]);
    const batch = limiter.map("chat", [1], never, { attemptTimeoutMs: 2_000 });
    const all = watch(batch.toArray());
    for (let step = 0; step < 8; step++) {
      await clock.advanceMsAsync(1_500);
      const { inFlight, waiting, failed } = batch.progress;
      expect(inFlight + waiting + failed).toBe(1);
      expect(Math.min(inFlight, waiting)).toBe(0);
    }
    expect(all.state).toBe("resolved");
  });

  it("a pause longer than leaseTimeoutMs fails no item", async () => {
    const { clock, limiter } = runFixture([{ name: "a", paused: true }]);
    const all = watch(limiter.map("chat", [1, 2], (item) => item).toArray());
    await clock.advanceMsAsync(3_600_000);
    expect(all.state).toBe("open");
    limiter.updateProvider("a", { paused: false });
    await clock.advanceMsAsync(1);
    expect(all.value).toMatchObject([{ ok: true }, { ok: true }]);
  });
});

it("a batch with tasks that take longer than leaseTimeoutMs loses no item", async () => {
  const { clock, limiter } = runFixture([{ name: "a", limits: { concurrency: 1 } }]);
  const task = async (item: number) => {
    await new Promise<void>((resolve) => void clock.wakeAt(clock.now() + 660_000, resolve));
    return item;
  };
  const all = watch(limiter.map("chat", [1, 2, 3, 4], task).toArray());
  await clock.advanceMsAsync(3_600_000);
  expect(all.value?.map(({ ok }) => ok)).toEqual([true, true, true, true]);
});

it("an item that is tried again waits no longer than maxWaitMs, its turn included", async () => {
  const { clock, limiter } = runFixture([{ name: "a" }]);
  let isFull = false;
  const began = clock.now();
  const late: number[] = [];
  const failedOnce = new Set<number>();
  const task = async (item: number) => {
    if (!failedOnce.has(item) || isFull) {
      failedOnce.add(item);
      throw new HttpError(429);
    }
    isFull = true;
    await new Promise<void>((resolve) => void clock.wakeAt(clock.now() + 1_000, resolve));
    isFull = false;
    return item;
  };
  const batch = limiter.map(
    "chat",
    Array.from({ length: 100 }, (_, item) => item),
    task,
    { maxWaitMs: 5_000 },
  );
  const reading = (async () => {
    for await (const _ of batch) late.push(clock.now() - began);
  })();
  await clock.advanceMsAsync(120_000);
  await reading;
  expect(late).toHaveLength(100);
  // A backoff or an attempt that has begun can end later.
  expect(Math.max(...late)).toBeLessThanOrEqual(8_000);
});
