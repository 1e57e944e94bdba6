import { afterEach, describe, expect, it, vi } from "vitest";
import type { MapOptions, TaskContext } from "../../../src/index.ts";
import { CountedSource, collect, delayedTask, range } from "../../support/map-fixture.ts";
import { expectIdle, HttpError, rejection, runFixture, watch } from "../../support/run-fixture.ts";

const unhandled = vi.fn();

process.on("unhandledRejection", unhandled);

afterEach(async () => {
  await new Promise((resolve) => setImmediate(resolve));
  expect(unhandled).not.toHaveBeenCalled();
});

describe("map beside other calls", () => {
  it("other calls that fill the queue do not cost a map its items", async () => {
    const fixture = runFixture([{ name: "a", limits: { rpm: 1 } }], { maxWaiting: 3 });
    await fixture.limiter.run("chat", () => 0);
    const others = Array.from({ length: 3 }, () =>
      fixture.limiter.acquire("chat", { maxWaitMs: Number.POSITIVE_INFINITY }),
    );
    for (const other of others) other.then((lease) => lease.settle());
    const results = watch(collect(fixture.limiter.map("chat", range(3), async (item) => item)));
    await fixture.clock.advanceMsAsync(1);
    await rejection(fixture.limiter.acquire("chat"));
    expect(results.state).toBe("open");
    await fixture.clock.advanceMsAsync(6 * 61_000);
    expect(results.value?.map(({ ok }) => ok)).toEqual([true, true, true]);
    expectIdle(fixture);
  });

  it("map ends if no capacity can become available any more", async () => {
    const fixture = runFixture([{ name: "a", limits: { concurrency: 2 } }]);
    let calls = 0;
    const results = watch(
      collect(
        fixture.limiter.map("chat", range(5), async () => {
          if (++calls > 2) throw new HttpError(401);
          await new Promise<void>((resolve) => void fixture.clock.wakeAt(fixture.clock.now() + 5, resolve));
        }),
      ),
    );
    await fixture.clock.advanceMsAsync(100);
    expect(results.state).toBe("resolved");
    expect(results.value).toHaveLength(5);
    expect(results.value?.filter(({ ok }) => ok)).toHaveLength(2);
    expectIdle(fixture);
  });
});

describe("demands of items", () => {
  it("undefined demands count as not stated", async () => {
    const fixture = runFixture([{ name: "a" }, { name: "b", priority: 100 }]);
    const options: MapOptions<number> = { only: ["a"], priority: 1, needs: () => ({ tokens: 1, only: undefined }) };
    const results = await collect(fixture.limiter.map("chat", [1], async () => 1, options));
    expect(results[0]).toMatchObject({ ok: true, provider: "a" });
  });
});

describe("the results of map", () => {
  it("every item gets a result with its index and its provider", async () => {
    const fixture = runFixture();
    const items = ["x", "y", "z"];
    const results = await collect(
      fixture.limiter.map("chat", items, async (item, { provider }) => `${item}@${provider}`),
    );
    expect(results).toEqual(items.map((item, index) => ({ ok: true, item, index, value: `${item}@a`, provider: "a" })));
    expectIdle(fixture);
  });

  it.each<[string, () => Iterable<number> | AsyncIterable<number>]>([
    ["a list", () => [0, 1, 2]],
    ["a set", () => new Set([0, 1, 2])],
    [
      "a generator",
      () =>
        (function* () {
          yield* [0, 1, 2];
        })(),
    ],
    [
      "an async generator",
      () =>
        (async function* () {
          yield* [0, 1, 2];
        })(),
    ],
    ["nothing", () => []],
  ])("map accepts %s", async (_, items) => {
    const { limiter } = runFixture();
    const results = await collect(limiter.map("chat", items(), (item) => item + 1));
    expect(results.map((result) => result.ok && result.value)).toEqual(
      [...(await collectItems(items()))].map((n) => n + 1),
    );
  });

  it("results come in the order of completion", async () => {
    const fixture = runFixture();
    const delays = [300, 100, 200];
    const call = watch(
      collect(fixture.limiter.map("chat", range(3), (item) => delayedTask(fixture, delays[item]!)(item))),
    );
    await fixture.clock.advanceMsAsync(1_000);
    expect(call.value!.map(({ index }) => index)).toEqual([1, 2, 0]);
  });

  it("errors of items are results, and provider failures fail over", async () => {
    const fixture = runFixture();
    const typo = new TypeError("typo");
    const task = (item: number, { provider }: TaskContext) => {
      if (item === 1) throw typo;
      if (item === 2) return Promise.reject(new HttpError(400));
      if (item === 3 && provider === "a") throw new HttpError(503);
      return item;
    };
    const results = await collect(fixture.limiter.map("chat", range(5), task));
    const at = (index: number) => results.find((result) => result.index === index);
    expect(results.length).toBe(5);
    expect(at(1)).toEqual({ ok: false, item: 1, index: 1, error: typo });
    expect(at(2)).toMatchObject({ ok: false, error: { status: 400 } });
    expect(at(3)).toMatchObject({ ok: true, provider: "b", value: 3 });
    expect(at(4)).toMatchObject({ ok: true, provider: "a" });
    expectIdle(fixture);
  });

  it("map sends nothing before the first result is requested", async () => {
    const { limiter } = runFixture();
    const task = vi.fn();
    const source = new CountedSource(3);
    const results = limiter.map("chat", source, task);
    await new Promise((resolve) => setImmediate(resolve));
    expect([source.pulled, task.mock.calls.length]).toEqual([0, 0]);
    expect(results[Symbol.asyncIterator]()).toBe(results);
    expect(await results.return!("done")).toEqual({ done: true, value: "done" });
    expect(await results.next()).toEqual({ done: true, value: undefined });
    expect([source.pulled, source.returned]).toEqual([0, 1]);
  });

  it("several pending pulls are all answered", async () => {
    const { limiter } = runFixture();
    const results = limiter.map("chat", range(3), (item) => item);
    const pulled = await Promise.all(range(5).map(() => results.next()));
    expect(pulled.map(({ done }) => done)).toEqual([false, false, false, true, true]);
  });

  it("map rejects an invalid source, an unknown capability and invalid options", () => {
    const { limiter } = runFixture();
    expect(() => limiter.map("chat", 7 as never, () => 1)).toThrow("items");
    expect(() => limiter.map("chatt", [], () => 1)).toThrow("unknown capability");
    expect(() => limiter.map("chat", [], () => 1, { concurrency: 0 })).toThrow("concurrency");
  });
});

async function collectItems<Item>(items: Iterable<Item> | AsyncIterable<Item>): Promise<Item[]> {
  const collected: Item[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}
