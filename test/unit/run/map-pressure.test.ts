import { afterEach, describe, expect, it, vi } from "vitest";
import { InvalidConfig, type MapOptions } from "../../../src/index.ts";
import { CountedSource, collect, delayedTask, range } from "../../support/map-fixture.ts";
import { expectIdle, HttpError, runFixture, watch } from "../../support/run-fixture.ts";

const unhandled = vi.fn();

process.on("unhandledRejection", unhandled);

afterEach(async () => {
  await new Promise((resolve) => setImmediate(resolve));
  expect(unhandled).not.toHaveBeenCalled();
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
    const source = new CountedSource(1_000);
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
      await delayedTask(fixture, 10)(item);
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
    const call = watch(collect(fixture.limiter.map("chat", range(600), (item) => delayedTask(fixture, 100)(item))));
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
