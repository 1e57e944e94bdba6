// The items of a map share capacity fairly with other calls and with each other, although only a few of them wait.
import { expect, it } from "vitest";
import { chatFixture, flushPromises, type LimiterFixture } from "../../support/limiter-fixture.ts";

/** Advances the clock in small steps, and lets all promises run after each. */
async function advance({ clock }: LimiterFixture, seconds: number): Promise<void> {
  for (let step = 0; step < seconds * 10; step++) {
    clock.set(clock.now() + 100);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function consume(results: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of results);
}

it("a map with a key gets half of the capacity beside a flood of another key", async () => {
  const fixture = chatFixture({ limits: { rps: 20 } });
  const served = { map: 0, flood: 0 };
  for (let i = 0; i < 2_000; i++) {
    fixture.limiter.run("chat", () => served.flood++, { maxWaitMs: 1e9, fairnessKey: "flood" }).catch(() => {});
  }
  consume(fixture.limiter.map("chat", Array(2_000).keys(), () => served.map++, { fairnessKey: "batch" })).catch(
    () => {},
  );
  await advance(fixture, 20);
  expect(served.map + served.flood).toBeGreaterThanOrEqual(390);
  // The first window went to the flood alone.
  expect(Math.abs(served.map - (served.flood - 20))).toBeLessThanOrEqual(2);
  fixture.limiter.close();
  await flushPromises();
});

it("items of a key that comes late in the source are not served last", async () => {
  const fixture = chatFixture({ limits: { rps: 10 } });
  const order: string[] = [];
  const items = [...Array(500).fill("large"), ...Array(20).fill("small")];
  const needs = (item: string) => ({ fairnessKey: item });
  consume(fixture.limiter.map("chat", items, (item) => order.push(item), { needs })).catch(() => {});
  await advance(fixture, 60);
  expect(order).toHaveLength(520);
  expect(order.lastIndexOf("small")).toBeLessThan(80);
  await flushPromises();
  expect(fixture.limiter.inspect().waiting).toEqual({});
});

it("weights of items count", async () => {
  const fixture = chatFixture({ limits: { rps: 10 } });
  const served = { a: 0, b: 0 };
  const items = Array.from({ length: 600 }, (_, i) => (i % 2 === 0 ? "a" : "b") as "a" | "b");
  const needs = (item: "a" | "b") => ({ fairnessKey: item, fairnessWeight: item === "a" ? 3 : 1 });
  consume(fixture.limiter.map("chat", items, (item) => served[item]++, { needs })).catch(() => {});
  await advance(fixture, 20);
  expect(served.a / served.b).toBeGreaterThan(2.5);
  fixture.limiter.close();
  await flushPromises();
});
