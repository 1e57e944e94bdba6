import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { KEPT_FREQUENT, KEPT_RARE, LISTED_PER_TICK } from "../../../src/monitor/message.ts";
import { MonitorFixture, pass, TICK } from "../../support/monitor-fixture.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance", "Date"] });
});
afterEach(() => {
  vi.useRealTimers();
});

const UNLIMITED = { providers: [{ name: "a" }, { name: "b" }], capabilities: { chat: ["a", "b"] } };

function grant(fixture: MonitorFixture, count: number): void {
  for (let i = 0; i < count; i++) {
    const lease = fixture.limiter.tryAcquire("chat");
    if (lease.granted) lease.settle();
  }
}

describe("the sampling of decisions", () => {
  it("a message lists the first decisions of a kind, and the listener is gone until the next message", async () => {
    const fixture = new MonitorFixture(UNLIMITED);
    const page = await fixture.watch();
    grant(fixture, LISTED_PER_TICK - 1);
    expect(fixture.listeners.get("leaseGranted")).toBe(1);
    grant(fixture, 1);
    expect(fixture.listeners.get("leaseGranted")).toBe(0);
    grant(fixture, 2_490);
    await pass(TICK);
    expect(page.last.decisions).toHaveLength(LISTED_PER_TICK);
    expect(page.last.isSampled).toBe(true);
    expect(fixture.listeners.get("leaseGranted")).toBe(1);
    await pass(TICK);
    expect(page.last).toMatchObject({ isSampled: false, decisions: [] });
    // The charts count all.
    expect(page.messages.flatMap(({ points }) => points)[0]!.granted).toBeGreaterThan(2_000);
    await page.cancel();
    expect(fixture.listenerCount).toBe(0);
  });

  it("each decision has one number, and the numbers are in the order of the events", async () => {
    const fixture = new MonitorFixture(UNLIMITED);
    const page = await fixture.watch();
    for (let tick = 0; tick < 5; tick++) {
      grant(fixture, 30);
      fixture.limiter.observe({ provider: "a", outcome: { status: 429, retryAfterMs: 100 } });
      await pass(TICK);
    }
    const ids = page.messages.flatMap(({ decisions }) => decisions.map(({ id }) => id));
    expect(ids.length).toBeGreaterThan(50);
    expect(ids).toEqual([...new Set(ids)].sort((x, y) => x - y));
    await page.cancel();
  });

  it("many grants do not displace the few other decisions, and the kept ones are bounded", async () => {
    const fixture = new MonitorFixture(UNLIMITED);
    const page = await fixture.watch();
    fixture.limiter.observe({ provider: "b", outcome: { status: 401 } });
    for (let tick = 0; tick < 50; tick++) {
      grant(fixture, 100);
      await pass(TICK);
    }
    const later = await fixture.watch();
    const kinds = later.last.decisions.map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === "granted")).toHaveLength(KEPT_FREQUENT);
    expect(kinds.filter((kind) => kind !== "granted")).toEqual(["providerDead"]);
    for (let tick = 0; tick < 20; tick++) {
      for (let i = 0; i < 20; i++) {
        fixture.limiter.observe({ provider: "a", outcome: { status: 401 } });
        fixture.limiter.reviveProvider("a");
      }
      await pass(TICK);
    }
    const last = await fixture.watch();
    expect(last.last.decisions.filter(({ kind }) => kind !== "granted")).toHaveLength(KEPT_RARE);
    for (const each of [page, later, last]) await each.cancel();
  });

  it("every kind of event is listed with its subject", async () => {
    const fixture = new MonitorFixture({
      providers: [{ name: "a", limits: { rpm: 1 } }, { name: "b" }],
      capabilities: { chat: ["a", "b"], one: ["a"] },
    });
    const page = await fixture.watch();
    const { limiter } = fixture;
    await limiter.run("chat", ({ attempt }) => (attempt === 1 ? new Response("", { status: 503 }) : "done"));
    limiter.tryAcquire("one");
    limiter.observe({ provider: "b", outcome: { status: 401 } });
    limiter.reviveProvider("b");
    await limiter.run("chat", () => Promise.reject(new RangeError("odd"))).catch(() => {});
    await pass(TICK);
    const rows = page.messages.flatMap(({ decisions }) => decisions);
    const failover = rows.find(({ kind }) => kind === "failover")!;
    expect(failover).toMatchObject({ from: "a", provider: "b", capability: "chat", status: "overloaded" });
    expect(rows.find(({ kind }) => kind === "refused")).toMatchObject({
      ...{ capability: "one", provider: null },
      reasons: { first: [{ provider: "a", reason: "quota", needs: { needed: 1, remaining: 0, limit: 1 } }], others: 0 },
    });
    expect(rows.find(({ kind }) => kind === "unrecognizedOutcome")).toMatchObject({
      provider: "b",
      name: "RangeError",
    });
    expect(rows.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(["providerDead", "providerRevived", "granted"]),
    );
    await page.cancel();
  });

  it("the reasons of a refusal by 100 providers are cut, and the others are counted", async () => {
    const names = Array.from({ length: 100 }, (_, i) => `p${i}`);
    const fixture = new MonitorFixture({
      providers: names.map((name) => ({ name, limits: { concurrency: 1 } })),
      capabilities: { chat: names },
    });
    for (const _ of names) fixture.limiter.tryAcquire("chat");
    const page = await fixture.watch();
    fixture.limiter.tryAcquire("chat");
    await pass(TICK);
    const [row] = page.last.decisions;
    expect(row).toMatchObject({ kind: "refused", reasons: { others: 97 } });
    expect(JSON.stringify(row).length).toBeLessThan(1_500);
    await page.cancel();
  });
});

describe("names of any kind", () => {
  const hostile = [
    "<script>alert(1)</script>",
    "\u202egnp.exe",
    "a\nb\r\n\ndata: {}",
    "\ud83d",
    '"\\',
    "\u2028\u2029\0",
  ];
  const long = `${"x".repeat(119)}\u{1f600}${"y".repeat(9_880)}`;

  it("hostile names of providers, capabilities, keys and labels are data in one event", async () => {
    const names = [...hostile, long];
    const fixture = new MonitorFixture({
      providers: names.map((name) => ({ name, limits: { concurrency: 1 } })),
      capabilities: Object.fromEntries(names.map((name) => [name, [name]])),
    });
    for (const name of names) fixture.limiter.tryAcquire(name);
    const page = await fixture.watch();
    for (const name of names) {
      fixture.limiter.run(name, () => 1, { maxWaitMs: 1e6, fairnessKey: name, label: name }).catch(() => {});
    }
    // The reader of the fixture accepts one line of data only.
    await pass(TICK);
    expect(page.isClosed).toBe(false);
    const shown = page.last.providers.map(([, { name }]) => name);
    const first = page.messages[0]!.providers.map(([, { name }]) => name);
    expect(first.slice(0, -1)).toEqual(hostile);
    expect(shown.length + first.length).toBeGreaterThan(0);
    // Cut before the character of two halves, not within it.
    expect(first.at(-1)).toBe(`${"x".repeat(119)}…`);
    expect(page.last.queue.map(({ key }) => key).sort()).toEqual([...first].sort());
    expect(page.last.decisions.map(({ label }) => label)).toEqual(first);
    await page.cancel();
    void fixture.limiter.close();
  });

  it("10,000 waiting calls with long names make a message of bounded size", async () => {
    const fixture = new MonitorFixture({
      providers: [{ name: long, limits: { concurrency: 1 } }],
      capabilities: { chat: [long] },
    });
    fixture.limiter.tryAcquire("chat");
    for (let i = 0; i < 10_000; i++) {
      fixture.limiter.run("chat", () => 1, { maxWaitMs: 1e6, fairnessKey: `${i}${long}`, label: long }).catch(() => {});
    }
    const page = await fixture.watch();
    await pass(TICK);
    expect(page.last.waiting).toBe(10_000);
    expect(JSON.stringify(page.messages[0]).length).toBeLessThan(30_000);
    await page.cancel();
    void fixture.limiter.close();
  });
});
