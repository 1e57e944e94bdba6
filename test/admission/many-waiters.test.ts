// A long line: what it costs in time and in memory.
import { getEventListeners } from "node:events";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import type { Lease } from "../../src/index.ts";
import { Desk, turns } from "./desk.ts";

setFlagsFromString("--expose_gc");
const collectGarbage = runInNewContext("gc") as () => void;

const full = (more: object = {}) =>
  new Desk({
    ...{ maxWaiting: 1e6, leaseTimeoutMs: 1e9, ...more },
    providers: [
      { name: "a", limits: { concurrency: 1 } },
      { name: "b", limits: { concurrency: 1 } },
    ],
    capabilities: { chat: ["a"], mail: ["b"] },
  });

it("100,000 waiters: enqueued, aborted, five times over, without a trace", async () => {
  const one = full();
  one.take();
  const waiters = 100_000;
  const options = { maxWaitMs: 1e6, priority: 0 };
  const round = async (signal: AbortSignal, isShared: boolean) => {
    let rejected = 0;
    const controllers: AbortController[] = [];
    for (let i = 0; i < waiters; i++) {
      // Some have a signal of their own.
      const own = isShared && i % 10 > 0 ? null : new AbortController();
      if (own !== null) controllers.push(own);
      one.limiter.acquire("chat", { ...options, priority: i % 3, signal: own?.signal ?? signal }).catch(() => rejected++);
    }
    expect(one.limiter.inspect().waiting).toEqual({ chat: waiters });
    for (const { signal: own } of controllers.slice(0, 100)) expect(getEventListeners(own, "abort")).toHaveLength(1);
    for (const controller of controllers) controller.abort();
    await turns();
    return { rejected: () => rejected, controllers };
  };
  const heapAfter = async () => {
    const controller = new AbortController();
    const { rejected, controllers } = await round(controller.signal, true);
    expect(getEventListeners(controller.signal, "abort")).toHaveLength(1);
    controller.abort();
    await turns();
    expect(rejected()).toBe(waiters);
    expect(one.limiter.inspect().waiting).toEqual({});
    expect(one.clock.outstanding).toBe(0);
    expect(getEventListeners(controller.signal, "abort")).toHaveLength(0);
    for (const { signal } of controllers.slice(-100)) expect(getEventListeners(signal, "abort")).toHaveLength(0);
    await new Promise((resolve) => setTimeout(resolve, 0));
    collectGarbage();
    return process.memoryUsage().heapUsed;
  };
  const first = await heapAfter();
  let last = first;
  for (let i = 0; i < 5; i++) last = await heapAfter();
  expect(last - first, `${last - first} bytes more`).toBeLessThan(2e6);
  expect(one.counted("concurrency")).toBe(1);
});

it("50,000 waiters, served one at a time: a wake-up costs what it serves", async () => {
  const one = full();
  let lease: Lease = one.take();
  one.take({}, "mail");
  const granted: Lease[] = [];
  const take = (got: Lease) => {
    granted.push(got);
    lease = got;
  };
  for (let i = 0; i < 50_000; i++) one.limiter.acquire("chat", { maxWaitMs: 1e6 }).then(take, () => {});
  // They wait for something else, and have nothing to do with it.
  for (let i = 0; i < 50_000; i++) one.limiter.acquire("mail", { maxWaitMs: 1e6 }).then(take, () => {});
  await turns();
  const from = performance.now();
  for (let i = 0; i < 1_000; i++) {
    lease.settle();
    await turns();
  }
  expect(performance.now() - from).toBeLessThan(1_000);
  expect(granted).toHaveLength(1_000);
  expect(one.limiter.inspect().waiting).toEqual({ chat: 49_000, mail: 50_000 });
  one.limiter.close();
  await turns();
});

it("50,000 waiters of different sizes and priorities, aborted one at a time from the middle", async () => {
  const one = full();
  one.take();
  const controllers = Array.from({ length: 50_000 }, () => new AbortController());
  let rejected = 0;
  for (const [i, { signal }] of controllers.entries()) {
    const options = { maxWaitMs: 1e5 + (i % 1_000), priority: i % 7, tokens: i % 11, signal };
    one.limiter.acquire("chat", options).catch(() => rejected++);
  }
  const from = performance.now();
  for (let i = 20_000; i < 22_000; i++) controllers[i]!.abort();
  await turns();
  expect(performance.now() - from).toBeLessThan(1_000);
  expect(rejected).toBe(2_000);
  one.limiter.close();
  await turns();
  expect(rejected).toBe(50_000);
});

it("20,000 waiters whose deadlines come one after the other", async () => {
  const one = full();
  one.take();
  let rejected = 0;
  for (let i = 0; i < 20_000; i++) one.limiter.acquire("chat", { maxWaitMs: 1 + (i * 7_919) % 20_000 }).catch(() => rejected++);
  const from = performance.now();
  for (let at = 100; at <= 20_000; at += 100) {
    one.clock.set(at);
    await turns();
    expect(rejected).toBe(at);
  }
  expect(performance.now() - from).toBeLessThan(4_000);
  expect(one.clock.outstanding).toBe(0);
  expect(one.clock.most).toBe(1);
});
