import { Readable } from "node:stream";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { providerRow } from "../../../src/monitor/rows.ts";
import { MonitorFixture, pass, type StreamReader, settle, TICK } from "../../support/monitor-fixture.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance", "Date"] });
});
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

const CHAT = { providers: [{ name: "a", limits: { rpm: 100 } }, { name: "b" }], capabilities: { chat: ["a", "b"] } };

describe("the stream of the monitor", () => {
  it("a monitor has no timer, no listener and no inspection before the first read of a stream", async () => {
    const fixture = new MonitorFixture(CHAT);
    await fixture.handler(new Request("http://localhost/"));
    await fixture.open();
    await pass(10_000);
    expect([vi.getTimerCount(), fixture.listenerCount, fixture.inspections]).toEqual([0, 0, 0]);
  });

  it("the first message has the whole state, later ones only the providers that changed", async () => {
    const fixture = new MonitorFixture(CHAT);
    const page = await fixture.watch();
    expect(page.last).toMatchObject({ isFull: true, title: "test", providerCount: 2, waiting: 0, oldestMs: null });
    expect(page.providers.map(({ name, state }) => [name, state])).toEqual([
      ["a", "available"],
      ["b", "available"],
    ]);
    await pass(TICK);
    expect(page.last).toMatchObject({ isFull: false, providers: [], decisions: [] });
    fixture.limiter.observe({ provider: "b", outcome: { status: 429, retryAfterMs: 9_000 } });
    await pass(TICK);
    expect(page.last.providers).toMatchObject([[1, { name: "b", state: "cooldown" }]]);
    expect(page.last.decisions).toMatchObject([
      { kind: "cooldownStarted", provider: "b", status: "rate_limited", durationMs: 9_000 },
    ]);
    await page.cancel();
  });

  it("a waiting call is in the next message, with its key and its reasons", async () => {
    const fixture = new MonitorFixture({
      providers: [{ name: "a", limits: { concurrency: 1 } }],
      capabilities: { chat: ["a"] },
    });
    const page = await fixture.watch();
    fixture.limiter.tryAcquire("chat");
    const call = fixture.limiter.run("chat", () => 1, { maxWaitMs: 1e6, fairnessKey: "tenant", label: "job" });
    call.catch(() => {});
    await pass(TICK);
    expect(page.last).toMatchObject({ waiting: 1, inFlight: 1 });
    expect(page.last.queue).toMatchObject([
      {
        ...{ capability: "chat", key: "tenant", waiting: 1 },
        waitsFor: { first: [{ provider: "a", reason: "concurrency", needs: { limit: 1, remaining: 0 } }], others: 0 },
      },
    ]);
    expect(page.last.decisions.map(({ kind, label }) => [kind, label])).toEqual([
      ["granted", null],
      ["queued", "job"],
    ]);
    await page.cancel();
    void fixture.limiter.close();
    await settle();
    vi.clearAllTimers();
  });

  it("a grant states its score, the parts of it, and the next best providers", async () => {
    const fixture = new MonitorFixture(CHAT);
    const page = await fixture.watch();
    const lease = fixture.limiter.tryAcquire("chat");
    await pass(TICK);
    const { score, reasoning, alternatives } = (lease as Extract<typeof lease, { granted: true }>).decision;
    expect(page.last.decisions).toMatchObject([
      {
        ...{ kind: "granted", capability: "chat", waitedMs: 0, score },
        parts: { quotaScore: reasoning.quotaScore, healthScore: reasoning.healthScore },
        others: alternatives.map((other) => [other.provider, other.score]),
      },
    ]);
    await page.cancel();
  });

  it("rates are per second, a point comes each second, and advice counts", async () => {
    const fixture = new MonitorFixture(CHAT);
    const page = await fixture.watch();
    for (let i = 0; i < 10; i++) fixture.limiter.select("chat");
    for (let i = 0; i < 10; i++) fixture.limiter.tryAcquire("chat");
    await pass(10_000);
    const points = page.messages.flatMap((message) => message.points);
    expect(points.length).toBeGreaterThanOrEqual(9);
    expect(points.length).toBeLessThanOrEqual(10);
    expect(points[0]).toMatchObject({ refused: 0, failovers: 0, waiting: 0, inFlight: 10 });
    expect(points[0]!.granted).toBeCloseTo(20, 0);
    expect(points[1]!.granted).toBe(0);
    await page.cancel();
  });
});

describe("the end of a stream", () => {
  it.each([
    ["the page cancels the body", async (page: StreamReader) => page.cancel()],
    ["the signal of the request aborts", async (_: StreamReader, abort: () => void) => abort()],
  ])("listeners and the timer are gone when %s", async (_, end) => {
    const fixture = new MonitorFixture(CHAT);
    const controller = new AbortController();
    const page = await fixture.watch(controller.signal);
    await pass(TICK);
    expect(fixture.listenerCount).toBeGreaterThan(5);
    expect(vi.getTimerCount()).toBe(1);
    await end(page, () => controller.abort());
    await settle();
    expect(page.isClosed).toBe(true);
    expect([vi.getTimerCount(), fixture.listenerCount]).toEqual([0, 0]);
    const { inspections } = fixture;
    await pass(10_000);
    expect(fixture.inspections).toBe(inspections);
  });

  it("a stream of an aborted request ends without an inspection", async () => {
    const fixture = new MonitorFixture(CHAT);
    const controller = new AbortController();
    const before = await fixture.open(controller.signal);
    controller.abort();
    expect(await before.read()).toBeNull();
    expect(await (await fixture.open(AbortSignal.abort())).read()).toBeNull();
    expect(fixture.inspections).toBe(0);
  });

  it("ended streams leave no listener on a signal that lives on", async () => {
    const fixture = new MonitorFixture(CHAT);
    const signal = new AbortController().signal;
    const added = vi.spyOn(signal, "addEventListener");
    const removed = vi.spyOn(signal, "removeEventListener");
    // A `Request` would wrap the signal.
    const request = {
      url: "http://localhost/",
      method: "GET",
      headers: new Headers({ accept: "text/event-stream" }),
      signal,
    };
    const { body } = await fixture.handler(request as Request);
    const reader = body!.getReader();
    await reader.read();
    await reader.cancel();
    expect(added).toHaveBeenCalledTimes(1);
    expect(removed.mock.calls[0]).toEqual(added.mock.calls[0]);
  });

  it("the last of several pages ends the timer, not the first", async () => {
    const fixture = new MonitorFixture(CHAT);
    const [first, second] = [await fixture.watch(), await fixture.watch()];
    const { inspections } = fixture;
    expect(inspections).toBe(1);
    await pass(TICK);
    // Each state is read once for all pages.
    expect(fixture.inspections).toBe(2);
    await first.cancel();
    await pass(TICK);
    expect(fixture.inspections).toBe(3);
    expect(second.messages).toHaveLength(3);
    await second.cancel();
    expect([vi.getTimerCount(), fixture.listenerCount]).toEqual([0, 0]);
  });

  it("an error of the limiter ends all streams with that error, and nothing is thrown into the process", async () => {
    const fixture = new MonitorFixture(CHAT);
    const [first, second] = [await fixture.watch(), await fixture.watch()];
    fixture.failure = new Error("a broken strategy");
    await pass(TICK);
    expect([first.error, second.error]).toEqual([fixture.failure, fixture.failure]);
    expect([vi.getTimerCount(), fixture.listenerCount]).toEqual([0, 0]);
    const third = await fixture.open();
    expect(await third.read()).toBeNull();
    expect(third.error).toBe(fixture.failure);
    expect([vi.getTimerCount(), fixture.listenerCount]).toEqual([0, 0]);
    fixture.failure = null;
    const fourth = await fixture.watch();
    expect(fourth.last.isFull).toBe(true);
    await fourth.cancel();
  });
});

describe("the time of a stream", () => {
  it("a stream ends after five minutes, so that the next request of the page is authorized again", async () => {
    const fixture = new MonitorFixture(CHAT);
    const page = await fixture.watch();
    await pass(299_000);
    expect(page.isClosed).toBe(false);
    await pass(2_000);
    expect([page.isClosed, page.error]).toEqual([true, null]);
    expect([vi.getTimerCount(), fixture.listenerCount]).toEqual([0, 0]);
  });

  it("messages come less often if a state takes long to read", async () => {
    const fixture = new MonitorFixture(CHAT);
    const page = await fixture.watch();
    let extraMs = 0;
    const { now } = performance;
    performance.now = () => now.call(performance) + extraMs;
    // Each inspection takes 100 ms of processor time.
    fixture.onInspect = () => {
      extraMs += 100;
    };
    try {
      const before = fixture.inspections;
      await pass(10_000);
      const inspections = fixture.inspections - before;
      expect(inspections).toBeGreaterThanOrEqual(3);
      expect(inspections).toBeLessThanOrEqual(6);
    } finally {
      performance.now = now;
    }
    await page.cancel();
  });

  it("a listener that closes the last page during a tick leaves no timer", async () => {
    const fixture = new MonitorFixture(CHAT);
    const controller = new AbortController();
    const page = await fixture.watch(controller.signal);
    fixture.limiter.observe({ provider: "b", outcome: { status: 429, retryAfterMs: 100 } });
    fixture.limiter.on("cooldownEnded", () => controller.abort());
    await pass(TICK);
    expect(page.isClosed).toBe(true);
    expect([vi.getTimerCount(), fixture.listenerCount]).toEqual([0, 0]);
  });
});

describe("a slow page", () => {
  it("a page alone that does not read costs no inspection, and then gets the changes", async () => {
    const fixture = new MonitorFixture(CHAT);
    const page = await fixture.open();
    await page.read();
    fixture.limiter.observe({ provider: "b", outcome: { status: 429, retryAfterMs: 60_000 } });
    await pass(20 * TICK);
    expect(fixture.inspections).toBe(1);
    expect(await page.read()).toMatchObject({ isFull: false, decisions: [{ kind: "cooldownStarted" }] });
    expect(page.providers.map(({ state }) => state)).toEqual(["available", "cooldown"]);
    await page.cancel();
  });

  it("a page that does not read beside another one gets no message, and then the whole present state", async () => {
    const fixture = new MonitorFixture(CHAT);
    const other = await fixture.watch();
    const page = await fixture.open();
    expect(await page.read()).toMatchObject({ isFull: true });
    for (let i = 0; i < 20; i++) {
      fixture.limiter.observe({ provider: "b", outcome: { status: 500 } });
      await pass(TICK);
    }
    const message = await page.read();
    expect(message).toMatchObject({ isFull: true, providerCount: 2 });
    expect(message!.decisions.length).toBeGreaterThan(0);
    // It has caught up: the next message comes with the next tick.
    const next = page.read();
    await pass(TICK);
    expect(await next).toMatchObject({ isFull: false });
    await other.cancel();
    await page.cancel();
  });

  it("a page that has not read for 30 s is disconnected, so that the limiter is left alone", async () => {
    const fixture = new MonitorFixture(CHAT);
    const page = await fixture.open();
    await page.read();
    await pass(29_000);
    expect(fixture.listenerCount).toBeGreaterThan(0);
    await pass(2_000);
    expect([vi.getTimerCount(), fixture.listenerCount]).toEqual([0, 0]);
    expect(await page.read()).toBeNull();
  });

  it("nothing is sent to a connection that accepts nothing more, and it is ended", async () => {
    const names = Array.from({ length: 50 }, (_, i) => `provider ${i}`);
    const fixture = new MonitorFixture({ providers: names.map((name) => ({ name })), capabilities: { chat: names } });
    const response = await fixture.handler(
      new Request("http://localhost/", { headers: { accept: "text/event-stream" } }),
    );
    const connection = Readable.fromWeb(response.body as never);
    connection.once("readable", () => {});
    const sizes: number[] = [];
    for (let tick = 0; tick < 50; tick++) {
      for (const provider of names) fixture.limiter.observe({ provider, outcome: { status: 429, retryAfterMs: 1e6 } });
      await pass(TICK);
      sizes.push(connection.readableLength);
    }
    expect(sizes[0]).toBeGreaterThan(5_000);
    expect(Math.max(...sizes)).toBe(sizes[10]);
    expect(fixture.listenerCount).toBeGreaterThan(0);
    await pass(30_000);
    expect([vi.getTimerCount(), fixture.listenerCount]).toEqual([0, 0]);
    connection.destroy();
  });

  it("one slow page does not slow down another one", async () => {
    const fixture = new MonitorFixture(CHAT);
    const slow = await fixture.open();
    await slow.read();
    const fast = await fixture.watch();
    await pass(10 * TICK);
    expect(fast.messages).toHaveLength(11);
    await slow.cancel();
    await fast.cancel();
  });
});

describe("a page that comes later", () => {
  it("decisions and points of an earlier page are in the first message of the next one", async () => {
    const fixture = new MonitorFixture(CHAT);
    const first = await fixture.watch();
    fixture.limiter.observe({ provider: "b", outcome: { status: 429, retryAfterMs: 1_000 } });
    await pass(5_000);
    const points = first.messages.flatMap((message) => message.points);
    await first.cancel();
    await pass(60_000);
    const second = await fixture.watch();
    expect(second.last.points).toEqual(points);
    expect(second.last.decisions.map(({ kind }) => kind)).toContain("cooldownStarted");
    await pass(5_000);
    // The pause is no point: a rate over a minute without listeners would mislead.
    const gap = second.messages.flatMap((message) => message.points)[points.length]!.atMs - points.at(-1)!.atMs;
    expect(gap).toBeGreaterThan(60_000);
    await second.cancel();
  });

  it("points are kept for ten minutes", async () => {
    const fixture = new MonitorFixture(CHAT);
    // The streams follow each other, as a page that stays open makes them.
    for (let stream = 0; stream < 4; stream++) {
      const page = await fixture.watch();
      await pass(250_000);
      await page.cancel();
    }
    const second = await fixture.watch();
    const { atMs, points } = second.last;
    expect(points.length).toBeGreaterThan(580);
    expect(points.length).toBeLessThanOrEqual(600);
    expect(atMs - points[0]!.atMs).toBeLessThanOrEqual(600_000);
    await second.cancel();
    await pass(700_000);
    const third = await fixture.watch();
    expect(third.last.points).toEqual([]);
    await third.cancel();
  });
});

describe("the messages", () => {
  it("messages of any pages, put together, are the state of the limiter at the last tick", async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant("grant" as const) }),
      fc.record({ kind: fc.constant("fail" as const), provider: fc.nat(3) }),
      fc.record({ kind: fc.constant("remove" as const), provider: fc.nat(3) }),
      fc.record({ kind: fc.constant("upsert" as const), provider: fc.nat(3), rpm: fc.integer({ min: 1, max: 50 }) }),
      fc.record({ kind: fc.constant("tick" as const), ticks: fc.integer({ min: 1, max: 5 }) }),
      fc.record({ kind: fc.constant("slowRead" as const) }),
      fc.record({ kind: fc.constant("join" as const) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        // A run that failed has left its timer.
        vi.clearAllTimers();
        const names = ["p0", "p1", "p2", "p3"];
        const fixture = new MonitorFixture({
          providers: names.map((name) => ({ name, limits: { rpm: 5 } })),
          capabilities: { chat: names },
        });
        const pages = [await fixture.watch()];
        const slow = await fixture.open();
        await slow.read();
        for (const one of steps) {
          if (one.kind === "grant") fixture.limiter.tryAcquire("chat");
          else if (one.kind === "fail") {
            const provider = names[one.provider]!;
            if (fixture.limiter.forecast(provider) !== null)
              fixture.limiter.observe({ provider, outcome: { status: 429 } });
          } else if (one.kind === "remove") fixture.limiter.removeProvider(names[one.provider]!);
          else if (one.kind === "upsert") {
            fixture.limiter.upsertProvider({ name: names[one.provider]!, limits: { rpm: one.rpm } });
          } else if (one.kind === "tick") await pass(one.ticks * TICK);
          else if (one.kind === "join") pages.push(await fixture.watch());
          else {
            const known = slow.messages.length;
            const pending = slow.read();
            await settle();
            // Either it has missed a message, or it waits for the next one.
            if (slow.messages.length === known) await pass(TICK);
            await pending;
            if (!slow.isClosed) expect(slow.providers).toEqual(pages[0]!.providers);
          }
          for (const page of pages) expect(page.providers).toEqual(pages[0]!.providers);
        }
        await pass(TICK);
        const { providers } = fixture.lastInspection!;
        for (const page of pages) expect(page.providers).toEqual(providers.map(providerRow));
        for (const page of [...pages, slow]) await page.cancel();
        expect([vi.getTimerCount(), fixture.listenerCount]).toEqual([0, 0]);
      }),
      { numRuns: 60 },
    );
  });
});
