// `map` processes every item once, as fast as the quotas allow, in bounded memory.
import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { InvalidConfig, type MapOptions, type MapResult, type TaskContext } from "../../../src/index.ts";
import {
  expectIdle,
  HttpError,
  never,
  type RunFixture,
  rejection,
  runFixture,
  settledStatuses,
  watch,
} from "../../support/run-fixture.ts";

const unhandled = vi.fn();
process.on("unhandledRejection", unhandled);
afterEach(async () => {
  await new Promise((resolve) => setImmediate(resolve));
  expect(unhandled).not.toHaveBeenCalled();
});

type Results<Item, T> = MapResult<Item, T>[];

async function collect<Item, T>(results: AsyncIterable<MapResult<Item, T>>): Promise<Results<Item, T>> {
  const collected: Results<Item, T> = [];
  for await (const result of results) collected.push(result);
  return collected;
}

const range = (count: number) => Array.from({ length: count }, (_, index) => index);

/** A source that counts the calls of its methods. */
class Counted implements AsyncIterable<number> {
  readonly #count: number;
  pulled = 0;
  returned = 0;
  readonly #at: (index: number) => unknown;

  constructor(count: number, at: (index: number) => unknown = () => undefined) {
    this.#count = count;
    this.#at = at;
  }

  [Symbol.asyncIterator](): AsyncIterator<number> {
    return {
      next: async () => {
        await this.#at(this.pulled);
        return this.pulled < this.#count ? { done: false, value: this.pulled++ } : { done: true, value: undefined };
      },
      return: async () => {
        this.returned++;
        return { done: true, value: undefined };
      },
    };
  }
}

/** A task that takes the given number of milliseconds on the clock. */
const taking =
  ({ clock }: RunFixture, ms: number) =>
  (item: number) =>
    new Promise<number>((resolve) => void clock.wakeAt(clock.now() + ms, () => resolve(item * 2)));

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
    const call = watch(collect(fixture.limiter.map("chat", range(3), (item) => taking(fixture, delays[item]!)(item))));
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
    const source = new Counted(3);
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

describe("memory and pressure", () => {
  it("100,000 items are each processed once with at most 1,000 in memory, in any order of completion", async () => {
    const fixture = runFixture();
    const held = { now: 0, most: 0 };
    function* source() {
      for (let item = 0; item < 100_000; item++) {
        held.most = Math.max(held.most, ++held.now);
        yield item;
      }
    }
    const got = new Uint8Array(100_000);
    const turn = () => new Promise<number>((resolve) => setImmediate(resolve, 0));
    for await (const { index, ok } of fixture.limiter.map("chat", source(), (item) =>
      item % 50 === 0 ? turn() : item,
    )) {
      expect(ok).toBe(true);
      got[index]!++;
      held.now--;
    }
    expect(got.every((times) => times === 1)).toBe(true);
    expect(held.most).toBeGreaterThan(900);
    // The result that the consumer currently holds does not count.
    expect(held.most).toBeLessThanOrEqual(1_001);
    expectIdle(fixture);
  });

  it("a consumer that stops pulling stops the source", async () => {
    const fixture = runFixture();
    const source = new Counted(1_000);
    const task = vi.fn((item: number) => item);
    const results = fixture.limiter.map("chat", source, task, { concurrency: 10 });
    await results.next();
    await fixture.clock.advanceMsAsync(60_000);
    expect(source.pulled).toBe(11);
    expect(task).toHaveBeenCalledTimes(11);
    for (let i = 0; i < 5; i++) await results.next();
    await fixture.clock.advanceMsAsync(0);
    expect(source.pulled).toBe(16);
    await results.return!();
  });

  it.each([1, 2, 7])("map runs at most %i tasks at the same time", async (concurrency) => {
    const fixture = runFixture();
    let running = 0;
    let most = 0;
    const task = async (item: number) => {
      most = Math.max(most, ++running);
      await taking(fixture, 10)(item);
      running--;
    };
    const call = watch(collect(fixture.limiter.map("chat", range(50), task, { concurrency })));
    await fixture.clock.advanceMsAsync(1_000);
    expect(call.value!.length).toBe(50);
    expect(most).toBe(concurrency);
  });

  it("map never fills the queue, and other calls are served in between", async () => {
    const fixture = runFixture([{ name: "a", limits: { rps: 10 } }], { maxWaiting: 2 });
    const call = watch(collect(fixture.limiter.map("chat", range(100), (item) => item)));
    await fixture.clock.advanceMsAsync(500);
    expect(fixture.limiter.inspect().waiting).toEqual({ chat: 1 });
    const other = watch(fixture.limiter.run("chat", () => "mine"));
    await fixture.clock.advanceMsAsync(600);
    expect(other.value?.value).toBe("mine");
    await fixture.clock.advanceMsAsync(20_000);
    expect(call.value!.every(({ ok }) => ok)).toBe(true);
    expectIdle(fixture);
  });

  it("map makes progress with a queue of length 1", async () => {
    for (const needs of [undefined, () => ({ requests: 1 })]) {
      const fixture = runFixture([{ name: "a", limits: { rps: 10 } }], { maxWaiting: 1 });
      const call = watch(collect(fixture.limiter.map("chat", range(50), (item) => item, { needs })));
      await fixture.clock.advanceMsAsync(6_000);
      expect(call.value!.every(({ ok }) => ok)).toBe(true);
    }
  });

  it("map does not fill the queue if items have different demands or all fail together", async () => {
    const names = ["a", "b", "c"];
    const fixture = runFixture(
      names.map((name) => ({ name, limits: { rps: 5 } })),
      { maxWaiting: 8, retryBudget: { ratio: 1 }, health: { cooldownTriggerCount: 1_000, penalty5xx: 0 } },
    );
    let most = 0;
    const observer = setInterval(() => {
      most = Math.max(most, fixture.limiter.inspect().waiting["chat"] ?? 0);
    }, 0);
    const failed = new Set<number>();
    const task = (item: number) => {
      most = Math.max(most, fixture.limiter.inspect().waiting["chat"] ?? 0);
      if (failed.has(item) || item % 2 === 0) return item;
      failed.add(item);
      throw new HttpError(500);
    };
    const needs = (item: number) => ({ only: [names[item % 3]!] });
    const call = watch(collect(fixture.limiter.map("chat", range(150), task, { needs })));
    await fixture.clock.advanceMsAsync(60_000);
    clearInterval(observer);
    expect(call.value!.filter(({ ok }) => !ok)).toEqual([]);
    expect(call.value!.length).toBe(150);
    expect(most).toBeLessThanOrEqual(4);
    expectIdle(fixture);
  });

  it("map is as fast as the quotas of all providers together allow", async () => {
    const fixture = runFixture([
      { name: "a", limits: { rps: 10 } },
      { name: "b", limits: { rps: 5 } },
      { name: "c", limits: { concurrency: 3 } },
    ]);
    const call = watch(collect(fixture.limiter.map("chat", range(600), (item) => taking(fixture, 100)(item))));
    // 10 + 5 + 3 / 0.1 s = 45 a second: 600 in 13.4 s.
    await fixture.clock.advanceMsAsync(13_600);
    expect(call.value?.length).toBe(600);
  });

  it("map saturates providers that serve different items", async () => {
    const fixture = runFixture([
      { name: "a", limits: { rps: 10 } },
      { name: "b", limits: { rps: 10 } },
    ]);
    const needs = (item: number) => ({ only: [item % 7 < 3 ? "a" : "b"] });
    const call = watch(collect(fixture.limiter.map("chat", range(700), (item) => item, { needs })));
    // 400 of the items can only be served by "b": 40 s.
    await fixture.clock.advanceMsAsync(40_100);
    expect(call.value?.length).toBe(700);
  });

  it("map passes on the demand of an item and reports an invalid one", async () => {
    const fixture = runFixture([{ name: "a", limits: { tpm: 1_000 } }]);
    const reserved: unknown[] = [];
    const stated: MapOptions<number>["needs"] = (item, index) => {
      expect(index).toBe(item);
      if (item === 2) throw new Error("unknown size");
      return item === 1 ? { tokens: Number.NaN } : { tokens: 100 * (item + 1) };
    };
    const results = await collect(
      fixture.limiter.map("chat", range(5), (_, { lease }) => reserved.push(lease.reserved.tokens), {
        needs: stated,
        tokens: 7,
      }),
    );
    const at = (index: number) => results.find((result) => result.index === index);
    expect(at(1)).toMatchObject({ ok: false, error: expect.toSatisfy(InvalidConfig.is) });
    expect(at(2)).toMatchObject({ ok: false, error: { message: "unknown size" } });
    expect(reserved.slice(0, 3)).toEqual([100, 400, 500]);
    expectIdle(fixture);
  });

  it("an item that no provider can serve is a result immediately, and the others continue", async () => {
    const fixture = runFixture([{ name: "a", limits: { rpm: 3 } }]);
    const results = await collect(fixture.limiter.map("chat", range(5), (item) => item, { maxWaitMs: 1_000 }));
    expect(results.map(({ ok }) => ok)).toEqual([true, true, true, false, false]);
    expect(results[3]).toMatchObject({ error: { kind: "refused", retryAfterMs: 60_000 } });
  });
});

describe("how map ends", () => {
  it("leaving map early aborts running tasks, sends nothing new, and closes the source", async () => {
    const fixture = runFixture([{ name: "a", limits: { rps: 20 } }]);
    const source = new Counted(1_000);
    const signals: AbortSignal[] = [];
    const task = async (item: number, { signal }: TaskContext) => {
      signals.push(signal);
      if (item > 2) await never();
      return item;
    };
    let count = 0;
    for await (const { ok } of fixture.limiter.map("chat", source, task)) {
      expect(ok).toBe(true);
      if (++count === 3) break;
    }
    expect(source.returned).toBe(1);
    const sent = signals.length;
    expect(sent).toBeGreaterThan(3);
    expect(signals.slice(3).every(({ aborted }) => aborted)).toBe(true);
    await fixture.clock.advanceMsAsync(60_000);
    expect(signals.length).toBe(sent);
    expect(settledStatuses(fixture).filter((status) => status === "cancelled").length).toBe(sent - 3);
    expectIdle(fixture);
  });

  it("leaving map with full memory pulls no further item", async () => {
    const fixture = runFixture();
    const source = new Counted(10);
    const results = fixture.limiter.map("chat", source, taking(fixture, 100), { concurrency: 3 });
    const first = watch(results.next());
    await fixture.clock.advanceMsAsync(50);
    expect(source.pulled).toBe(3);
    await results.return!();
    await fixture.clock.advanceMsAsync(1_000);
    expect(first.value).toEqual({ done: true, value: undefined });
    expect(source).toMatchObject({ pulled: 3, returned: 1 });
    expectIdle(fixture);
  });

  it("an error of the consumer ends map like leaving it", async () => {
    const fixture = runFixture();
    const source = new Counted(10);
    const error = new Error("disk full");
    const consume = async () => {
      for await (const _ of fixture.limiter.map("chat", source, (item) => item)) throw error;
    };
    expect(await rejection(consume())).toBe(error);
    expect(source.returned).toBe(1);
    expectIdle(fixture);
  });

  it("an aborted map rejects once with the reason", async () => {
    const fixture = runFixture();
    const controller = new AbortController();
    const added = vi.spyOn(controller.signal, "addEventListener");
    const removed = vi.spyOn(controller.signal, "removeEventListener");
    const source = new Counted(10_000);
    const task = async (item: number) => (item < 5 ? item : never());
    const results = fixture.limiter.map("chat", source, task, { signal: controller.signal });
    await results.next();
    const pulls = watch(Promise.all(range(4).map(() => results.next())));
    const open = [watch(results.next()), watch(results.next())];
    await fixture.clock.advanceMsAsync(10);
    expect(pulls.state).toBe("resolved");
    expect(added).toHaveBeenCalledTimes(1);
    controller.abort("enough");
    await fixture.clock.advanceMsAsync(10);
    expect(open[0]).toMatchObject({ state: "rejected", error: "enough" });
    expect(open[1]).toMatchObject({ state: "resolved", value: { done: true } });
    expect(await results.next()).toEqual({ done: true, value: undefined });
    expect(removed).toHaveBeenCalledTimes(1);
    expect(source.returned).toBe(1);
    expectIdle(fixture);
  });

  it("map can be aborted while results wait to be pulled, or before it starts", async () => {
    const fixture = runFixture();
    const controller = new AbortController();
    const results = fixture.limiter.map("chat", range(10), (item) => item, { signal: controller.signal });
    await results.next();
    await fixture.clock.advanceMsAsync(10);
    controller.abort("enough");
    expect(await rejection(results.next())).toBe("enough");
    expect(await results.next()).toEqual({ done: true, value: undefined });
    const task = vi.fn();
    const never = fixture.limiter.map("chat", range(10), task, { signal: controller.signal });
    expect(await rejection(never.next())).toBe("enough");
    expect(await never.next()).toEqual({ done: true, value: undefined });
    expect(task).not.toHaveBeenCalled();
    expectIdle(fixture);
  });

  it("an error of the source is thrown after all running tasks have ended", async () => {
    const fixture = runFixture();
    const broken = new Error("cannot read line 4");
    function* lines() {
      yield* range(3);
      throw broken;
    }
    const results = fixture.limiter.map("chat", lines(), (item) => taking(fixture, 100 * item)(item));
    const got: number[] = [];
    const consumed = watch(
      (async () => {
        for await (const { index } of results) got.push(index);
      })(),
    );
    await fixture.clock.advanceMsAsync(1_000);
    expect(got).toEqual([0, 1, 2]);
    expect(consumed.error).toBe(broken);
    expect(await results.next()).toEqual({ done: true, value: undefined });
    expectIdle(fixture);
  });

  it("a source can throw synchronously, reject, or return no result object", async () => {
    const fixture = runFixture();
    const error = new Error("no file");
    const sources = [
      {
        [Symbol.iterator]: () => ({
          next() {
            throw error;
          },
        }),
      },
      { [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(error) }) },
    ];
    for (const source of sources) {
      expect(await rejection(collect(fixture.limiter.map("chat", source as Iterable<number>, () => 1)))).toBe(error);
    }
    const nothing = { [Symbol.asyncIterator]: () => ({ next: async () => undefined }) };
    const failure = await rejection(collect(fixture.limiter.map("chat", nothing as never, () => 1)));
    expect(failure).toBeInstanceOf(TypeError);
    expectIdle(fixture);
  });

  it("map can be left while it waits for an item of the source", async () => {
    const fixture = runFixture();
    const source = new Counted(10, (index) => (index === 2 ? never() : undefined));
    const results = fixture.limiter.map("chat", source, (item) => item);
    await results.next();
    await results.next();
    const pull = watch(results.next());
    await fixture.clock.advanceMsAsync(10);
    expect(pull.state).toBe("open");
    expect(await results.return!()).toEqual({ done: true, value: undefined });
    await fixture.clock.advanceMsAsync(0);
    expect(pull.value).toEqual({ done: true, value: undefined });
    expect(source.returned).toBe(1);
    expectIdle(fixture);
  });

  it("a generator that is working when map is left is closed when it yields", async () => {
    const fixture = runFixture();
    const needs = vi.fn(() => ({}));
    let arrive: (value: string) => void = () => {};
    async function* slow() {
      yield "first";
      yield await new Promise<string>((resolve) => {
        arrive = resolve;
      });
    }
    const results = fixture.limiter.map("chat", slow(), (item) => item, { needs });
    await results.next();
    await fixture.clock.advanceMsAsync(0);
    expect(await results.return!()).toEqual({ done: true, value: undefined });
    arrive("too late");
    await fixture.clock.advanceMsAsync(0);
    expect(needs).toHaveBeenCalledTimes(1);
    expect(await results.next()).toEqual({ done: true, value: undefined });
    expectIdle(fixture);
  });

  it("map listens to the abort signal until it ends and not longer", async () => {
    const { limiter } = runFixture();
    const { signal } = new AbortController();
    const added = vi.spyOn(signal, "addEventListener");
    const removed = vi.spyOn(signal, "removeEventListener");
    await collect(limiter.map("chat", range(5), (item) => item, { signal }));
    expect([added.mock.calls.length, removed.mock.calls.length]).toEqual([1, 1]);
  });

  it("errors that the source throws on closing are handled", async () => {
    const fixture = runFixture();
    const error = new Error("cannot close");
    function* stubborn() {
      try {
        yield* range(9);
      } finally {
        // biome-ignore lint/correctness/noUnsafeFinally: that is the point
        throw error;
      }
    }
    const results = fixture.limiter.map("chat", stubborn(), (item) => item, { concurrency: 2 });
    await results.next();
    expect(await rejection(results.return!())).toBe(error);
    const controller = new AbortController();
    const aborted = fixture.limiter.map("chat", stubborn(), (item) => item, {
      concurrency: 2,
      signal: controller.signal,
    });
    await aborted.next();
    controller.abort("enough");
    expect(await rejection(aborted.next())).toBe("enough");
    expectIdle(fixture);
  });

  it("closing the limiter returns the results of running tasks and then ends map with an error", async () => {
    const fixture = runFixture([{ name: "a", limits: { concurrency: 2 } }]);
    const source = new Counted(10);
    const results = fixture.limiter.map("chat", source, taking(fixture, 100));
    const got: MapResult<number, number>[] = [];
    const consumed = watch(
      (async () => {
        for await (const result of results) got.push(result);
      })(),
    );
    await fixture.clock.advanceMsAsync(50);
    fixture.limiter.close();
    await fixture.clock.advanceMsAsync(100);
    expect(got).toMatchObject([
      { ok: true, index: 0 },
      { ok: true, index: 1 },
    ]);
    expect(consumed.error).toMatchObject({ code: "closed" });
    expect(source.returned).toBe(1);
    expectIdle(fixture);
  });

  it("with random events no item is processed twice or lost, and nothing is left behind", async () => {
    const ending = fc.oneof(
      { weight: 4, arbitrary: fc.constant("done") },
      fc.constantFrom("typo", "429", "500", "400", "slow"),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(ending, { maxLength: 40 }),
        fc.integer({ min: 1, max: 8 }),
        fc.constantFrom({ rps: 7 }, { concurrency: 2 }, {}),
        fc.option(fc.integer({ min: 0, max: 30 }), { nil: undefined }),
        async (endings, concurrency, limits, leaveAt) => {
          const fixture = runFixture([{ name: "a", limits }, "b"], {
            retryBudget: { perMinute: 1_000 },
            health: { cooldownTriggerCount: 1_000, penalty429: 0, penalty5xx: 0 },
          });
          const started: number[] = [];
          const task = (item: number, { attempt }: TaskContext) => {
            if (attempt === 1) started.push(item);
            const how = endings[item];
            if (how === "slow") return taking(fixture, 350)(item);
            if (how === "typo") throw new TypeError("typo");
            if (how !== "done" && (attempt === 1 || how === "400")) throw new HttpError(Number(how));
            return item;
          };
          const got: number[] = [];
          const consume = async () => {
            for await (const { ok, index } of fixture.limiter.map("chat", range(endings.length), task, {
              concurrency,
            })) {
              expect(ok).toBe(!["typo", "400"].includes(endings[index]!));
              got.push(index);
              if (got.length === leaveAt) break;
            }
          };
          const consumed = watch(consume());
          await fixture.clock.advanceMsAsync(30_000);
          expect(consumed).toMatchObject({ state: "resolved", error: undefined });
          expect(started).toEqual(range(started.length));
          expect(new Set(got).size).toBe(got.length);
          expect(got.length).toBe(
            leaveAt === undefined || leaveAt === 0 ? endings.length : Math.min(leaveAt, endings.length),
          );
          expectIdle(fixture);
        },
      ),
      { numRuns: 60 },
    );
  });
});

async function collectItems<Item>(items: Iterable<Item> | AsyncIterable<Item>): Promise<Item[]> {
  const collected: Item[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}
