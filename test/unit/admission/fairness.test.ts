// Fairness between keys within one priority.
import { describe, expect, it } from "vitest";
import type { Lease } from "../../../src/index.ts";
import {
  type AcquireOptions,
  chatFixture,
  flushPromises,
  LimiterFixture,
  LONG_WAIT,
  rejection,
} from "../../support/limiter-fixture.ts";
import { seededRandom } from "../../support/seeded-random.ts";

/** Serves one waiter after the other at one place; returns the order of the names. */
async function servedInOrder(
  asked: readonly (AcquireOptions & { readonly name: string })[],
  fixture = chatFixture({ limits: { concurrency: 1 } }),
): Promise<string> {
  const order: string[] = [];
  let lease: Lease = fixture.grant();
  for (const { name, ...options } of asked) {
    fixture.limiter.acquire("chat", { ...LONG_WAIT, ...options }).then(
      (got) => {
        order.push(name);
        lease = got;
      },
      () => {},
    );
  }
  for (const _ of asked) {
    lease.settle();
    await flushPromises();
  }
  return order.join(" ");
}

const ask = (names: string, more: (name: string) => AcquireOptions = () => ({})) =>
  names.split(" ").map((name) => ({ name, fairnessKey: name[0]!, ...more(name) }));

describe("keys of one priority", () => {
  it("take turns, however many calls of one of them came first", async () => {
    expect(await servedInOrder(ask("a1 a2 a3 a4 b1 b2 c1"))).toBe("a1 b1 c1 a2 b2 a3 a4");
  });

  it("are served in proportion to their weights", async () => {
    const asked = ask("a1 a2 a3 a4 a5 a6 b1 b2 b3", (name) => ({ fairnessWeight: name < "b" ? 2 : 1 }));
    expect(await servedInOrder(asked)).toBe("a1 b1 a2 a3 b2 a4 a5 b3 a6");
  });

  it("are served first come first served within one key, whatever the demands and capabilities", async () => {
    const fixture = new LimiterFixture({
      providers: [{ name: "a", limits: { concurrency: 1, tpm: 1e6 } }],
      capabilities: { chat: ["a"], mail: ["a"] },
    });
    let lease: Lease = fixture.grant();
    const order: number[] = [];
    for (let i = 0; i < 8; i++) {
      const options = { ...LONG_WAIT, fairnessKey: "a", ...(i % 3 === 0 ? { tokens: i } : {}) };
      fixture.limiter.acquire(i % 2 === 0 ? "chat" : "mail", options).then(
        (got) => {
          order.push(i);
          lease = got;
        },
        () => {},
      );
    }
    for (let i = 0; i < 8; i++) {
      lease.settle();
      await flushPromises();
    }
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it("do not matter to calls of a higher priority", async () => {
    const asked = ask("a1 a2 b1 a3", (name) => ({ priority: name === "a3" ? 1 : 0 }));
    expect(await servedInOrder(asked)).toBe("a3 a1 b1 a2");
  });

  it("share with the calls that have no key, which count as one key", async () => {
    const asked = ask("a1 a2 -1 -2 -3 b1").map(({ name, fairnessKey }) =>
      fairnessKey === "-" ? { name } : { name, fairnessKey },
    );
    expect(await servedInOrder(asked)).toBe("a1 -1 b1 a2 -2 -3");
  });

  it("pay for tokens: a key with requests of ten times the size gets a tenth of the requests", async () => {
    const fixture = chatFixture({ limits: { tpm: 1_000, rpm: 1_000 } });
    const counts = { large: 0, small: 0 };
    for (let i = 0; i < 300; i++) {
      for (const [key, tokens] of [
        ["large", 100],
        ["small", 10],
      ] as const) {
        fixture.limiter.acquire("chat", { maxWaitMs: 1e9, tokens, fairnessKey: key }).then(
          (lease) => {
            counts[key]++;
            lease.settle();
          },
          () => {},
        );
      }
    }
    await flushPromises();
    counts.large = counts.small = 0;
    for (let minute = 1; minute <= 4; minute++) await fixture.advanceTo(minute * 60_000);
    expect(Math.abs(counts.large * 100 - counts.small * 10)).toBeLessThanOrEqual(200);
    expect(counts.large * 100 + counts.small * 10).toBeGreaterThan(3_900);
  });

  it("are charged for the reported usage, and not for an estimate that was too low", async () => {
    const fixture = chatFixture({ limits: { tpm: 100 } });
    const reported = { heavy: 90, light: 10 };
    const counts = { heavy: 0, light: 0 };
    for (let i = 0; i < 1_000; i++) {
      for (const key of ["heavy", "light"] as const) {
        const serve = async (lease: Lease) => {
          counts[key]++;
          lease.settle({ usage: { tokens: reported[key] } });
        };
        fixture.limiter.acquire("chat", { maxWaitMs: 1e9, tokens: 10, fairnessKey: key }).then(serve, () => {});
      }
    }
    for (let minute = 0; minute <= 40; minute++) await fixture.advanceTo(minute * 60_000);
    expect(counts.heavy).toBeGreaterThan(10);
    expect(Math.abs(counts.heavy * 90 - counts.light * 10)).toBeLessThanOrEqual(5 * 90);
    fixture.limiter.close();
  });

  it("get back what a released lease was charged", async () => {
    const fixture = chatFixture({ limits: { concurrency: 1 } });
    let lease: Lease = fixture.grant();
    const order: string[] = [];
    for (const { name, ...options } of ask("a1 a2 a3 b1 b2")) {
      fixture.limiter.acquire("chat", { ...LONG_WAIT, ...options }).then(
        (got) => {
          order.push(name);
          lease = got;
        },
        () => {},
      );
    }
    for (let i = 0; i < 5; i++) {
      // The first lease of "a" is never used.
      if (order.length === 1) lease.release();
      else lease.settle();
      await flushPromises();
    }
    expect(order.join(" ")).toBe("a1 a2 b1 a3 b2");
  });
});

describe("a key", () => {
  it("that comes back is not ahead of the keys that waited meanwhile", async () => {
    const fixture = chatFixture({ limits: { concurrency: 1 } });
    let lease: Lease = fixture.grant();
    const counts: { [key: string]: number } = { sequential: 0, flood: 0 };
    const request = (key: string) =>
      fixture.limiter.acquire("chat", { ...LONG_WAIT, fairnessKey: key }).then((got) => {
        counts[key]!++;
        lease = got;
      });
    const give = () => {};
    for (let i = 0; i < 100; i++) request("flood").catch(give);
    const again = (): Promise<unknown> => request("sequential").then(again);
    again().catch(give);
    for (let i = 0; i < 50; i++) {
      lease.settle();
      await flushPromises();
    }
    expect(Math.abs(counts["sequential"]! - counts["flood"]!)).toBeLessThanOrEqual(1);
    fixture.limiter.close();
    await flushPromises();
  });

  it("that waits at two providers is charged for each of them separately", async () => {
    const fixture = new LimiterFixture({
      providers: [
        { name: "a", limits: { rps: 100 } },
        { name: "b", limits: { rpm: 60 } },
      ],
      capabilities: { chat: ["a"], mail: ["b"] },
    });
    const counts: { [name: string]: number } = {};
    const request = (capability: string, key: string) =>
      fixture.limiter.acquire(capability, { maxWaitMs: 1e9, fairnessKey: key }).then(
        (lease) => {
          counts[capability + key] = (counts[capability + key] ?? 0) + 1;
          lease.settle();
        },
        () => {},
      );
    for (let i = 0; i < 20_000; i++) {
      request("chat", i % 4 === 0 ? "y" : "x");
      if (i < 500) request("mail", i % 2 === 0 ? "x" : "y");
    }
    for (let second = 1; second <= 120; second++) await fixture.advance(1_000);
    expect(counts["mailx"]).toBe(counts["maily"]);
    fixture.limiter.close();
    await flushPromises();
  });

  it("leaves nothing behind in an empty queue", async () => {
    const fixture = chatFixture({ limits: { concurrency: 1 } });
    const lease = fixture.grant();
    const waiting = fixture.limiter.acquire("chat", { ...LONG_WAIT, fairnessKey: "a" });
    lease.settle();
    (await waiting).settle();
    expect(fixture.limiter.inspect().waiting).toEqual({});
    expect(fixture.clock.outstanding).toBe(0);
  });
});

describe("maxWaitingPerKey", () => {
  it("limits the waiting calls of each key, and of no call without a key", async () => {
    const fixture = chatFixture({ limits: { concurrency: 1 } }, { maxWaitingPerKey: 2 });
    fixture.grant();
    const asked = ["a", "a", "a", "b", undefined, undefined, undefined, "b", "b"].map((fairnessKey) =>
      fixture.acquire({ ...LONG_WAIT, fairnessKey }),
    );
    await flushPromises();
    const rejected = asked.filter(({ state }) => state === "rejected");
    expect(rejected).toEqual([asked[2], asked[8]]);
    expect(rejection(asked[2]!).kind).toBe("queue_full");
    fixture.limiter.close();
  });
});

describe("inspect().queue", () => {
  it("counts the waiting calls by priority and key, and has the reasons why the next ones wait", async () => {
    const fixture = new LimiterFixture({
      providers: [{ name: "a", limits: { rpm: 1 } }],
      capabilities: { chat: ["a"], mail: ["a"] },
    });
    fixture.grant().settle();
    expect(fixture.limiter.inspect().queue).toEqual({
      byPriority: {},
      byKey: [],
      groups: [],
      oldestMs: null,
      waitsFor: {},
    });
    fixture.acquire({ maxWaitMs: 1e9, fairnessKey: "x", priority: 1 });
    await fixture.advance(1_000);
    for (const fairnessKey of ["y", "y", undefined]) fixture.acquire({ maxWaitMs: 1e9, fairnessKey }, "mail");
    const { byPriority, byKey, oldestMs, waitsFor } = fixture.limiter.inspect().queue;
    expect(byPriority).toEqual({ 0: 3, 1: 1 });
    expect(byKey).toEqual([
      { key: "y", waiting: 2 },
      { key: "x", waiting: 1 },
      { key: null, waiting: 1 },
    ]);
    expect(oldestMs).toBe(1_000);
    expect(Object.keys(waitsFor)).toEqual(["chat", "mail"]);
    expect(waitsFor["mail"]).toMatchObject([{ provider: "a", reason: "quota", retryAfterMs: 59_000 }]);
    fixture.limiter.close();
    await flushPromises();
  });

  it("groups the waiting calls by capability and key, the longest wait first", async () => {
    const fixture = new LimiterFixture({
      providers: [
        { name: "a", limits: { rpm: 1 } },
        { name: "b", limits: { concurrency: 1 } },
      ],
      capabilities: { chat: ["a"], mail: ["b"] },
    });
    fixture.grant().settle();
    fixture.grant(undefined, "mail");
    fixture.acquire({ maxWaitMs: 1e9, fairnessKey: "x" });
    await fixture.advance(1_000);
    fixture.acquire({ maxWaitMs: 1e9, fairnessKey: "x" }, "mail");
    fixture.acquire({ maxWaitMs: 1e9, fairnessKey: "x" });
    await fixture.advance(1_000);
    fixture.acquire({ maxWaitMs: 1e9 }, "mail");
    const { groups } = fixture.limiter.inspect().queue;
    expect(groups).toMatchObject([
      { capability: "chat", key: "x", waiting: 2, oldestMs: 2_000, waitsFor: [{ provider: "a", reason: "quota" }] },
      {
        capability: "mail",
        key: "x",
        waiting: 1,
        oldestMs: 1_000,
        waitsFor: [{ provider: "b", reason: "concurrency" }],
      },
      { capability: "mail", key: null, waiting: 1, oldestMs: 0, waitsFor: [{ provider: "b", reason: "concurrency" }] },
    ]);
    fixture.limiter.close();
    await flushPromises();
  });

  it("a group waits for what its next call needs, not its oldest one", async () => {
    const fixture = chatFixture({ limits: { rpm: 1, tpm: 10 } });
    fixture.grant().settle();
    fixture.acquire({ ...LONG_WAIT, fairnessKey: "x", tokens: 1 });
    await fixture.advance(10);
    fixture.acquire({ ...LONG_WAIT, fairnessKey: "x", tokens: 9, priority: 1 });
    const [group] = fixture.limiter.inspect().queue.groups;
    expect(group).toMatchObject({ waiting: 2, oldestMs: 10 });
    expect(group!.waitsFor).toEqual(fixture.limiter.inspect().queue.waitsFor["chat"]);
    fixture.limiter.close();
    await flushPromises();
  });

  it("lists the 20 groups with the longest waits", async () => {
    const fixture = chatFixture({ limits: { concurrency: 1 } });
    fixture.grant();
    for (let i = 0; i < 40; i++) {
      fixture.acquire({ ...LONG_WAIT, fairnessKey: `${39 - i}` });
      await fixture.advance(1);
    }
    const { groups } = fixture.limiter.inspect().queue;
    expect(groups.map(({ key }) => key)).toEqual(Array.from({ length: 20 }, (_, i) => `${39 - i}`));
    fixture.limiter.close();
    await flushPromises();
  });

  it("lists the 20 keys with the most calls", async () => {
    const fixture = chatFixture({ limits: { concurrency: 1 } });
    fixture.grant();
    for (let i = 0; i < 900; i++) fixture.acquire({ ...LONG_WAIT, fairnessKey: `${Math.floor(Math.sqrt(i))}` });
    const { byKey } = fixture.limiter.inspect().queue;
    expect(byKey).toHaveLength(20);
    expect(byKey[0]).toEqual({ key: "29", waiting: 59 });
    fixture.limiter.close();
    await flushPromises();
  });
});

describe("50 tenants that share a key of 10 requests a second", () => {
  /** Waits of the calls of the others, in ms, while one tenant has 1,000 calls; and the served calls of that tenant. */
  async function waits(otherPerSecond: number): Promise<{ readonly others: number[]; readonly flooded: number }> {
    const fixture = chatFixture({ limits: { rps: 10 } });
    const random = seededRandom(50);
    const others: number[] = [];
    let flooded = 0;
    for (let i = 0; i < 1_000; i++) {
      fixture.limiter.run("chat", () => flooded++, { fairnessKey: "flood", maxWaitMs: 1e9 }).catch(() => {});
    }
    for (let ms = 0; ms < 60_000; ms += 10) {
      await fixture.advanceTo(ms);
      if (random() >= otherPerSecond / 100) continue;
      const since = fixture.clock.now();
      const fairnessKey = `tenant ${Math.floor(random() * 49)}`;
      fixture.limiter.run("chat", () => others.push(fixture.clock.now() - since), { fairnessKey }).catch(() => {});
    }
    fixture.limiter.close();
    await flushPromises();
    return { others: others.sort((a, b) => a - b), flooded };
  }

  it("wait at most one window (median) and 1.5 windows (p95) while one of them floods", async () => {
    const { others, flooded } = await waits(7);
    expect(others.length).toBeGreaterThan(350);
    expect(others[others.length >> 1]).toBeLessThanOrEqual(1_000);
    expect(others[Math.floor(others.length * 0.95)]).toBeLessThanOrEqual(1_500);
    expect(others.length + flooded).toBeGreaterThanOrEqual(590);
  });

  it("leave the whole capacity to the one that floods while they are idle", async () => {
    expect((await waits(0)).flooded).toBe(600);
  });
});
