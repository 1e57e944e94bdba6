// Tasks that go on after their call gave up: how long they keep their places, and how that is shown.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { TaskContext } from "../../../src/index.ts";
import { expectIdle, type RunFixture, rejection, runFixture } from "../../support/run-fixture.ts";

const LEAST_MS = 1_000;
const TIMEOUT_MS = 5_000;

function sleep({ clock }: RunFixture, ms: number): Promise<string> {
  return new Promise((resolve) => void clock.wakeAt(clock.now() + ms, () => resolve("late")));
}

const inFlight = ({ limiter }: RunFixture) => limiter.inspect().providers[0]!.inFlight;
const abandoned = ({ limiter }: RunFixture) => limiter.inspect().providers[0]!.abandonedTasks;

describe("the place of a task that goes on after its call gave up", () => {
  it("it is kept until the task ends, at least for a second and at most for leaseTimeoutMs", async () => {
    const durations = fc.record({
      workMs: fc.oneof(fc.integer({ min: 101, max: 12_000 }), fc.constant(Infinity)),
      skewCapMs: fc.constantFrom(0, 300, 1_000, 5_000, Infinity),
      kind: fc.constantFrom("attemptTimeoutMs", "timeoutMs", "signal"),
      isMap: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(durations, async ({ workMs, skewCapMs, kind, isMap }) => {
        const fixture = runFixture([{ name: "a", limits: { concurrency: 1 } }], {
          leaseTimeoutMs: TIMEOUT_MS,
          skewCapMs,
        });
        const { limiter, clock } = fixture;
        const controller = new AbortController();
        const options = {
          maxAttempts: 1,
          ...(kind === "signal" ? { signal: controller.signal } : { [kind]: 100 }),
        };
        const task = () => (workMs === Infinity ? new Promise<string>(() => {}) : sleep(fixture, workMs));
        const call = isMap
          ? limiter.map("chat", ["item"], task, options).next()
          : limiter.run("chat", task, options).catch(() => {});
        call.catch(() => {});
        await clock.advanceMsAsync(100);
        if (kind === "signal") controller.abort(new Error("enough"));
        await clock.advanceMsAsync(0);
        const least = 100 + Math.min(skewCapMs, LEAST_MS);
        const freeAt = Math.max(least, Math.min(workMs, 100 + TIMEOUT_MS));
        await clock.advanceMsAsync(freeAt - 101);
        expect(inFlight(fixture)).toBe(1);
        expect(abandoned(fixture)).toBe(freeAt - 1 >= least ? 1 : 0);
        await clock.advanceMsAsync(1);
        expect([inFlight(fixture), abandoned(fixture)]).toEqual([0, 0]);
        expect(limiter.metrics.tasksAbandoned).toBe(freeAt > least ? 1 : 0);
        expect(limiter.metrics.leasesExpired).toBe(0);
      }),
      { numRuns: 150 },
    );
  });

  it("a task that ends with the abort frees its place after a second and is not counted", async () => {
    const fixture = runFixture([{ name: "a", limits: { concurrency: 1 } }]);
    const task = ({ signal }: TaskContext) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    const call = rejection(fixture.limiter.run("chat", task, { timeoutMs: 100 }));
    await fixture.clock.advanceMsAsync(1_099);
    expect(inFlight(fixture)).toBe(1);
    await fixture.clock.advanceMsAsync(1);
    expect(inFlight(fixture)).toBe(0);
    expect(fixture.limiter.metrics.tasksAbandoned).toBe(0);
    await call;
    expectIdle(fixture);
  });

  it("a waiting call gets the place when the task ends", async () => {
    const fixture = runFixture([{ name: "a", limits: { concurrency: 1 } }]);
    const { limiter, clock } = fixture;
    const begunAt = clock.now();
    const given = rejection(limiter.run("chat", () => sleep(fixture, 20_000), { timeoutMs: 100 }));
    await clock.advanceMsAsync(3_000);
    const next = limiter.run("chat", () => clock.now());
    await clock.advanceMsAsync(30_000);
    expect((await next).value).toBe(begunAt + 20_000);
    await given;
    expectIdle(fixture);
  });

  it("a refusal says that tasks which still run hold the places", async () => {
    const fixture = runFixture([{ name: "a", limits: { concurrency: 2 } }]);
    const { limiter, clock } = fixture;
    const stuck = () => new Promise<never>(() => {});
    const calls = [1, 2].map(() => rejection(limiter.run("chat", stuck, { timeoutMs: 100 })));
    await clock.advanceMsAsync(5_000);
    const refusal = limiter.tryAcquire("chat");
    if (refusal.granted) expect.unreachable();
    else expect(refusal.reasons).toMatchObject([{ reason: "concurrency", heldForMs: 5_000, abandoned: 2 }]);
    const error = rejection(limiter.run("chat", stuck, { maxWaitMs: 100 }));
    await clock.advanceMsAsync(100);
    expect(String(await error)).toContain(
      "2 of 2 places are held by timed-out tasks that still run: pass `signal` to the client",
    );
    await Promise.all(calls);
    expectIdle(fixture);
  });

  it("new limits keep the place of an abandoned task", async () => {
    const fixture = runFixture([{ name: "a", limits: { concurrency: 1 } }]);
    const { limiter, clock } = fixture;
    const given = rejection(limiter.run("chat", () => sleep(fixture, 20_000), { timeoutMs: 100 }));
    await clock.advanceMsAsync(3_000);
    limiter.upsertProvider({ name: "a", limits: { concurrency: 1, rpm: 50 } });
    limiter.upsertProvider({ name: "a", limits: { rpm: 50 } });
    limiter.upsertProvider({ name: "a", limits: { concurrency: 1 } });
    expect(limiter.tryAcquire("chat").granted).toBe(false);
    await clock.advanceMsAsync(17_000);
    const lease = limiter.tryAcquire("chat");
    expect(lease.granted).toBe(true);
    if (lease.granted) lease.settle();
    await given;
    expectIdle(fixture);
  });
});

describe("a lease of run, map or stream", () => {
  it("it never expires while its task runs", async () => {
    const fixture = runFixture([{ name: "a", limits: { concurrency: 1 } }], { leaseTimeoutMs: 1_000 });
    const { limiter, clock } = fixture;
    const call = limiter.run("chat", () => sleep(fixture, 3_600_000));
    await clock.advanceMsAsync(3_599_000);
    expect(limiter.tryAcquire("chat").granted).toBe(false);
    expect(limiter.inspect().oldestLeaseMs).toBe(3_599_000);
    await clock.advanceMsAsync(1_000);
    expect((await call).value).toBe("late");
    expect(limiter.metrics.leasesExpired).toBe(0);
    expectIdle(fixture);
  });

  it("the lease of a stream expires leaseTimeoutMs after the last read", async () => {
    const fixture = runFixture([{ name: "a", limits: { concurrency: 1 } }], { leaseTimeoutMs: 1_000 });
    const { limiter, clock } = fixture;
    async function* chunks() {
      for (let index = 0; ; index++) yield index;
    }
    const { value } = await limiter.stream("chat", chunks);
    for (let reads = 0; reads < 20; reads++) {
      await clock.advanceMsAsync(999);
      expect(limiter.metrics.leasesExpired).toBe(0);
      await value.next();
    }
    await clock.advanceMsAsync(999);
    expect(inFlight(fixture)).toBe(1);
    await clock.advanceMsAsync(1);
    limiter.inspect();
    expect(limiter.metrics.leasesExpired).toBe(1);
    await value.return?.();
    expectIdle(fixture);
  });

  it("a pull that is pending when its stream is left keeps the place until it ends", async () => {
    const fixture = runFixture([{ name: "a", limits: { concurrency: 1 } }]);
    const { limiter, clock } = fixture;
    let pulls = 0;
    const source: AsyncIterableIterator<string> = {
      [Symbol.asyncIterator]: () => source,
      next: async () => ({ done: false, value: pulls++ === 0 ? "first" : await sleep(fixture, 9_000) }),
    };
    const { value } = await limiter.stream("chat", () => source);
    await value.next();
    const pull = value.next();
    await clock.advanceMsAsync(500);
    await value.return?.();
    expect(await pull).toEqual({ done: true, value: undefined });
    await clock.advanceMsAsync(8_499);
    expect([inFlight(fixture), abandoned(fixture)]).toEqual([1, 1]);
    await clock.advanceMsAsync(1);
    expect([inFlight(fixture), abandoned(fixture)]).toEqual([0, 0]);
    expectIdle(fixture);
  });
});
