// The ways in which `map` ends early.
import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { MapResult, TaskContext } from "../../../src/index.ts";
import { CountedSource, collect, delayedTask, range } from "../../support/map-fixture.ts";
import {
  expectIdle,
  HttpError,
  never,
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

describe("how map ends", () => {
  it("leaving map early aborts running tasks, sends nothing new, and closes the source", async () => {
    const fixture = runFixture([{ name: "a", limits: { rps: 20 } }]);
    const source = new CountedSource(1_000);
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
    const source = new CountedSource(10);
    const results = fixture.limiter.map("chat", source, delayedTask(fixture, 100), { concurrency: 3 });
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
    const source = new CountedSource(10);
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
    const source = new CountedSource(10_000);
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
    const results = fixture.limiter.map("chat", lines(), (item) => delayedTask(fixture, 100 * item)(item));
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
    const source = new CountedSource(10, (index) => (index === 2 ? never() : undefined));
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
    const source = new CountedSource(10);
    const results = fixture.limiter.map("chat", source, delayedTask(fixture, 100));
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
            if (how === "slow") return delayedTask(fixture, 350)(item);
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
