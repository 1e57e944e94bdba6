// The costs of a long wait queue in time and memory.
import { getEventListeners } from "node:events";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import type { Lease } from "../../../src/index.ts";
import { flushPromises, LimiterFixture } from "../../support/limiter-fixture.ts";
import { effort } from "../../support/test-effort.ts";

setFlagsFromString("--expose_gc");
const collectGarbage = runInNewContext("gc") as () => void;

const WAITERS = effort(100_000, 20_000);

const fullFixture = (more: object = {}) =>
  new LimiterFixture({
    ...{ maxWaiting: 1e6, leaseTimeoutMs: 1e9, ...more },
    providers: [
      { name: "a", limits: { concurrency: 1 } },
      { name: "b", limits: { concurrency: 1 } },
    ],
    capabilities: { chat: ["a"], mail: ["b"] },
  });

/** CPU time, because the machine might be busy with other work. */
async function cpuMs(act: () => Promise<void>): Promise<number> {
  const from = process.cpuUsage();
  await act();
  const { user, system } = process.cpuUsage(from);
  return (user + system) / 1_000;
}

it(`${WAITERS} waiters are queued and aborted five times without leaving memory behind`, {
  timeout: 300_000,
}, async () => {
  const fixture = fullFixture();
  fixture.grant();
  const round = async (waiters: number) => {
    const controller = new AbortController();
    // Some waiters have an abort signal of their own.
    const own = Array.from({ length: 1_000 }, () => new AbortController());
    let rejected = 0;
    for (let i = 0; i < waiters; i++) {
      const { signal } = own[i] ?? controller;
      fixture.limiter.acquire("chat", { maxWaitMs: 1e6, priority: i % 3, signal }).catch(() => rejected++);
    }
    expect(fixture.limiter.inspect().waiting).toEqual({ chat: waiters });
    const listening = () => [controller, ...own].map(({ signal }) => getEventListeners(signal, "abort").length);
    expect(new Set(listening())).toEqual(new Set([1]));
    for (const each of own) each.abort();
    controller.abort();
    await flushPromises();
    expect(rejected).toBe(waiters);
    expect(fixture.limiter.inspect().waiting).toEqual({});
    expect(fixture.clock.outstanding).toBe(0);
    expect(new Set(listening())).toEqual(new Set([0]));
  };
  const heap = async () => {
    await new Promise((resolve) => setTimeout(resolve, 0));
    collectGarbage();
    return process.memoryUsage().heapUsed;
  };
  // The first rounds also compile the code.
  for (let i = 0; i < 3; i++) await round(WAITERS);
  const before = await heap();
  for (let i = 0; i < 4; i++) await round(WAITERS);
  const grown = (await heap()) - before;
  expect(grown, `${grown} bytes more`).toBeLessThan(2e6);
  expect(fixture.counted("concurrency")).toBe(1);
  fixture.refusal();
});

it("serving one of 30,000 waiters costs only the work for that waiter", async () => {
  const fixture = fullFixture();
  let lease: Lease = fixture.grant();
  fixture.grant({}, "mail");
  const granted: Lease[] = [];
  const take = (got: Lease) => {
    granted.push(got);
    lease = got;
  };
  for (let i = 0; i < 20_000; i++) fixture.limiter.acquire("chat", { maxWaitMs: 1e6 }).then(take, () => {});
  // These waiters wait for another provider and are not concerned.
  for (let i = 0; i < 10_000; i++) fixture.limiter.acquire("mail", { maxWaitMs: 1e6 }).then(take, () => {});
  await flushPromises();
  const ms = await cpuMs(async () => {
    for (let i = 0; i < 1_000; i++) {
      lease.settle();
      await flushPromises();
    }
  });
  expect(ms).toBeLessThan(3_000);
  expect(granted).toHaveLength(1_000);
  expect(fixture.limiter.inspect().waiting).toEqual({ chat: 19_000, mail: 10_000 });
  fixture.limiter.close();
  await flushPromises();
});

it.each<[string, (i: number) => { readonly capability?: string; readonly [option: string]: unknown }]>([
  ["priorities", (i) => ({ priority: (i * 7_919) % 3_000 })],
  ["rising priorities", (i) => ({ priority: i })],
  ["falling priorities", (i) => ({ priority: -i })],
  ["demands", (i) => ({ tokens: 1 + ((i * 7_919) % 3_000) })],
  ["keys", (i) => ({ fairnessKey: `key ${i}` })],
  ["keys and priorities", (i) => ({ fairnessKey: `key ${i % 50}`, priority: (i * 7_919) % 3_000 })],
  ["deadlines", (i) => ({ maxWaitMs: 1e6 + ((i * 7_919) % 3_000) })],
  ["capabilities", (i) => ({ capability: `c${i}` })],
])("3,000 waiters with different %s are served cheaply", async (_, optionsOf) => {
  const names = Array.from({ length: 3_000 }, (_, i) => `c${i}`);
  const fixture = new LimiterFixture({
    leaseTimeoutMs: 1e9,
    providers: [{ name: "a", limits: { concurrency: 1, tpm: 1e9 } }],
    capabilities: { chat: ["a"], ...Object.fromEntries(names.map((name) => [name, ["a"]])) },
  });
  let lease: Lease = fixture.grant({ tokens: 1 });
  let served = 0;
  const ms = await cpuMs(async () => {
    for (let i = 0; i < 3_000; i++) {
      const { capability = "chat", ...options } = optionsOf(i);
      fixture.limiter.acquire(capability, { maxWaitMs: 1e6, tokens: 1, ...options }).then((got) => {
        served++;
        lease = got;
      });
    }
    for (let i = 0; i < 3_000; i++) {
      lease.settle();
      await flushPromises();
    }
  });
  expect(served).toBe(3_000);
  expect(ms).toBeLessThan(3_000);
});

it("12,000 waiters of different sizes and priorities can be aborted one at a time from the middle", async () => {
  const fixture = fullFixture();
  fixture.grant();
  const controllers = Array.from({ length: 12_000 }, () => new AbortController());
  let rejected = 0;
  for (const [i, { signal }] of controllers.entries()) {
    const options = { maxWaitMs: 1e5 + (i % 1_000), priority: i % 7, tokens: i % 11, signal };
    fixture.limiter.acquire("chat", options).catch(() => rejected++);
  }
  const ms = await cpuMs(async () => {
    for (let i = 4_000; i < 6_000; i++) controllers[i]!.abort();
    await flushPromises();
  });
  expect(ms).toBeLessThan(3_000);
  expect(rejected).toBe(2_000);
  fixture.limiter.close();
  await flushPromises();
  expect(rejected).toBe(12_000);
});

it("5,000 waiters with consecutive deadlines time out cheaply", async () => {
  const fixture = fullFixture();
  fixture.grant();
  let rejected = 0;
  for (let i = 0; i < 5_000; i++) {
    fixture.limiter.acquire("chat", { maxWaitMs: 1 + ((i * 7_919) % 5_000) }).catch(() => rejected++);
  }
  const ms = await cpuMs(async () => {
    for (let at = 25; at <= 5_000; at += 25) {
      fixture.clock.set(at);
      await flushPromises();
      expect(rejected).toBe(at);
    }
  });
  expect(ms).toBeLessThan(6_000);
  expect(fixture.clock.outstanding).toBe(0);
  expect(fixture.clock.most).toBe(1);
});

it("2,000 waiters behind 2,000 requests in flight are served cheaply", async () => {
  const fixture = new LimiterFixture({
    leaseTimeoutMs: 1e9,
    providers: [{ name: "a", limits: { rpm: 2_000, tpm: 1e6, concurrency: 8_000 } }],
    capabilities: { chat: ["a"] },
  });
  const ms = await cpuMs(async () => {
    const open = Array.from({ length: 2_000 }, () => fixture.grant({ tokens: 10 }));
    let granted = 0;
    for (let i = 0; i < 2_000; i++)
      fixture.limiter.acquire("chat", { tokens: 10, maxWaitMs: 1e5 }).then(() => granted++);
    for (const [i, lease] of open.entries()) {
      fixture.clock.set(i / 4);
      lease.headersReceived();
    }
    for (const lease of open) lease.settle();
    await flushPromises();
    expect(granted).toBe(0);
    fixture.clock.set(59_999);
    await flushPromises();
    expect(granted).toBe(0);
    fixture.clock.set(61_000);
    await flushPromises();
    expect(granted).toBe(2_000);
  });
  expect(ms).toBeLessThan(3_000);
});

it("a refusal is cheap while 2,000 requests are in flight", async () => {
  const fixture = new LimiterFixture({
    leaseTimeoutMs: 1e9,
    providers: [{ name: "a", limits: { rpm: 2_000 } }],
    capabilities: { chat: ["a"] },
  });
  for (let i = 0; i < 2_000; i++) fixture.grant();
  const ms = await cpuMs(async () => {
    for (let i = 0; i < 500; i++) fixture.refusal();
  });
  expect(ms).toBeLessThan(6_000);
});

it("a settlement evaluates the waiters that it serves, not all that are too large for one of the providers", async () => {
  let looks = 0;
  const fixture = new LimiterFixture({
    scoring: {
      score: () => {
        looks++;
        return 1;
      },
    },
    providers: [
      { name: "a", limits: { concurrency: 1 } },
      { name: "b", limits: { tpm: 8_000 } },
    ],
    capabilities: { chat: ["a", "b"] },
  });
  const lease = fixture.grant({ tokens: 9_000 });
  const asked = Array.from({ length: 1_000 }, (_, i) => fixture.acquire({ maxWaitMs: 1e9, tokens: 9_000 + i }));
  await flushPromises();
  looks = 0;
  lease.settle();
  await flushPromises();
  expect(asked.filter(({ state }) => state === "granted")).toEqual([asked[0]]);
  expect(looks).toBeLessThan(20);
});
