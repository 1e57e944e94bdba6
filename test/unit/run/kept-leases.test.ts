import { describe, expect, it } from "vitest";
import { expectIdle, rejection, runFixture, settledStatuses } from "../../support/run-fixture.ts";

const inFlight = ({ limiter }: ReturnType<typeof runFixture>) => limiter.inspect().providers[0]!.inFlight;

describe("a lease that its task keeps", () => {
  it("it is open after the call, which has succeeded, until the caller settles it", async () => {
    const fixture = runFixture([{ name: "a", limits: { concurrency: 1 } }]);
    const { value, attempts } = await fixture.limiter.run("chat", ({ keep }) => keep());
    expect(attempts).toMatchObject([{ provider: "a", status: "success" }]);
    expect([value.settled, inFlight(fixture)]).toEqual([false, 1]);
    value.settle({ status: 503 });
    expect([value.settled, inFlight(fixture)]).toEqual([true, 0]);
    expect(settledStatuses(fixture)).toEqual(["overloaded"]);
    expectIdle(fixture);
  });

  it("a failed response is no failure of the attempt, because the caller settles it", async () => {
    const fixture = runFixture(["a", "b"]);
    const { value, provider } = await fixture.limiter.run("chat", ({ keep }) => {
      keep().settle(429);
      return new Response(null, { status: 429 });
    });
    expect([value.status, provider]).toEqual([429, "a"]);
    expect(settledStatuses(fixture)).toEqual(["rate_limited"]);
    expectIdle(fixture);
  });

  it("it expires leaseTimeoutMs after the latest read", async () => {
    const fixture = runFixture([{ name: "a", limits: { concurrency: 1 } }], { leaseTimeoutMs: 10_000 });
    const { limiter, clock } = fixture;
    const { value } = await limiter.run("chat", ({ keep }) => keep());
    for (let reads = 0; reads < 5; reads++) {
      await clock.advanceMsAsync(9_999);
      value.read();
    }
    await clock.advanceMsAsync(9_999);
    expect(value.settled).toBe(false);
    await clock.advanceMsAsync(1);
    expect([value.settled, limiter.metrics.leasesExpired]).toEqual([true, 1]);
    expectIdle(fixture);
  });

  it("a task that keeps its lease and throws ends it, and its error is the error of the call", async () => {
    const fixture = runFixture([{ name: "a", limits: { concurrency: 1 } }]);
    const error = new TypeError("broken");
    const call = fixture.limiter.run("chat", ({ keep }) => {
      keep();
      throw error;
    });
    expect(await rejection(call)).toBe(error);
    expectIdle(fixture);
  });

  it("a time-out of the call ends it, and a later settlement changes nothing", async () => {
    const fixture = runFixture([{ name: "a", limits: { concurrency: 1 } }]);
    const kept: { settle(): void }[] = [];
    const task = ({ keep }: { keep(): { settle(): void } }) => {
      kept.push(keep());
      return new Promise<never>(() => {});
    };
    const call = rejection(fixture.limiter.run("chat", task, { timeoutMs: 100, maxAttempts: 1 }));
    await fixture.clock.advanceMsAsync(100);
    await call;
    kept[0]!.settle();
    expect(fixture.limiter.metrics.leasesSettled).toBe(1);
    expectIdle(fixture);
  });
});
