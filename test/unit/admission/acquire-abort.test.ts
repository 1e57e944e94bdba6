// The abort signal of a waiting call.
import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { chatFixture, flushPromises, occupiedFixture } from "../../support/limiter-fixture.ts";

const listeners = (signal: AbortSignal) => getEventListeners(signal, "abort").length;

describe("the abort signal", () => {
  it("an aborted signal rejects the call with its own reason, takes nothing, and gets no listener", async () => {
    const fixture = chatFixture();
    const reason = { mine: true };
    const signal = AbortSignal.abort(reason);
    const asked = fixture.acquire({ signal });
    await fixture.advance(0);
    expect(asked.state).toBe("rejected");
    expect(asked.error).toBe(reason);
    expect(listeners(signal)).toBe(0);
    expect(fixture.limiter.metrics.leasesGranted).toBe(0);
  });

  it("an abort removes the waiter from the queue immediately", async () => {
    const { fixture, leases } = occupiedFixture();
    const controller = new AbortController();
    const first = fixture.acquire({ signal: controller.signal });
    const second = fixture.acquire();
    expect(listeners(controller.signal)).toBe(1);
    controller.abort(new TypeError("mine"));
    expect(fixture.limiter.inspect().waiting).toEqual({ chat: 1 });
    expect(listeners(controller.signal)).toBe(0);
    leases[0]!.settle();
    await fixture.advance(0);
    expect(first).toMatchObject({ state: "rejected", error: expect.objectContaining({ message: "mine" }) });
    expect(second.state).toBe("granted");
    expect(fixture.counted("concurrency")).toBe(1);
  });

  it.each(["aborted", "too late", "refused"])("an abort of the last waiter leaves no claim behind: %s", async (how) => {
    const fixture = chatFixture({ limits: { concurrency: 2, rpm: 3 } });
    const leases = [fixture.grant(), fixture.grant()];
    const controller = new AbortController();
    const asked = fixture.acquire({ signal: controller.signal, maxWaitMs: 50, requests: how === "refused" ? 2 : 1 });
    await fixture.advance(0);
    expect(asked.state).toBe("waiting");
    if (how === "aborted") controller.abort();
    if (how === "too late") await fixture.advance(50);
    if (how === "refused") for (const lease of leases) lease.settle();
    await fixture.advance(0);
    expect(asked.state).toBe("rejected");
    leases[1]!.settle();
    expect(fixture.refusal({ requests: 2 }).reasons[0]!.reason).toBe("quota");
    fixture.grant();
  });

  it("an abort of the last waiter stops the timer", async () => {
    const { fixture } = occupiedFixture();
    const controller = new AbortController();
    fixture.acquire({ signal: controller.signal });
    expect(fixture.clock.outstanding).toBe(1);
    controller.abort();
    expect(fixture.clock.outstanding).toBe(0);
    await flushPromises();
    expect(fixture.limiter.inspect().waiting).toEqual({});
  });

  it("an abort after the grant changes nothing, and no listener remains", async () => {
    const { fixture, leases } = occupiedFixture();
    const controller = new AbortController();
    const asked = fixture.acquire({ signal: controller.signal });
    leases[0]!.settle();
    await fixture.advance(0);
    expect(asked.state).toBe("granted");
    expect(listeners(controller.signal)).toBe(0);
    controller.abort();
    await fixture.advance(0);
    expect(asked.lease!.settled).toBe(false);
    expect(fixture.counted("concurrency")).toBe(1);
  });

  it.each([
    "right after the settle",
    "in the event of the grant",
    "in the event of another's grant",
    "before the settle",
  ])("an abort at the instant of the grant: %s", async (when) => {
    const { fixture, leases } = occupiedFixture(2);
    const controller = new AbortController();
    if (when.startsWith("in the event")) fixture.limiter.on("leaseGranted", () => controller.abort("now"));
    const other = when.includes("another") ? fixture.acquire() : null;
    const asked = fixture.acquire({ signal: controller.signal });
    const behind = fixture.acquire();
    if (when === "before the settle") controller.abort("now");
    leases[0]!.settle();
    if (other !== null) leases[1]!.settle();
    if (when === "right after the settle") controller.abort("now");
    await fixture.advance(0);
    expect(listeners(controller.signal)).toBe(0);
    if (asked.state === "rejected") {
      expect(asked.error).toBe("now");
      expect(behind.state).toBe("granted");
    } else {
      expect(asked.state).toBe("granted");
      expect(asked.lease!.settled).toBe(false);
      asked.lease!.settle();
      await fixture.advance(0);
      expect(behind.state).toBe("granted");
    }
    for (const lease of [...leases, other?.lease, behind.lease]) lease?.settle();
    await fixture.advance(1_000);
    expect(fixture.counted("concurrency")).toBe(0);
    expect(fixture.limiter.inspect().waiting).toEqual({});
    expect(fixture.clock.outstanding).toBe(0);
  });

  it("50 waiters on one signal share one listener, and none remains afterwards", async () => {
    const { fixture, leases } = occupiedFixture(3);
    const controller = new AbortController();
    const warned: unknown[] = [];
    const listen = (warning: unknown) => warned.push(warning);
    process.on("warning", listen);
    const line = Array.from({ length: 50 }, () => fixture.acquire({ signal: controller.signal }));
    const others = Array.from({ length: 3 }, () => new AbortController());
    for (const { signal } of others) fixture.acquire({ signal });
    expect(listeners(controller.signal)).toBe(1);
    for (const { signal } of others) expect(listeners(signal)).toBe(1);
    for (const lease of leases) lease.settle();
    await fixture.advance(0);
    expect(line.filter(({ state }) => state === "granted")).toHaveLength(3);
    expect(listeners(controller.signal)).toBe(1);
    controller.abort("enough");
    await fixture.advance(0);
    expect(line.filter(({ state }) => state === "rejected")).toHaveLength(47);
    for (const { state, error } of line) if (state === "rejected") expect(error).toBe("enough");
    expect(listeners(controller.signal)).toBe(0);
    expect(fixture.limiter.inspect().waiting).toEqual({ chat: 3 });
    await new Promise((resolve) => setTimeout(resolve, 5));
    process.off("warning", listen);
    expect(warned).toEqual([]);
  });

  it("no listener remains after a grant, a deadline, a refusal, a full queue, or a close", async () => {
    const fixture = chatFixture({ limits: { concurrency: 1 } }, { maxWaiting: 2 });
    const signals = Array.from({ length: 6 }, () => new AbortController().signal);
    const lease = fixture.grant();
    fixture.acquire({ signal: signals[0]! });
    fixture.acquire({ signal: signals[1]!, maxWaitMs: 500 });
    fixture.acquire({ signal: signals[2]! });
    fixture.acquire({ signal: signals[3]!, exclude: ["a"] });
    await fixture.advance(0);
    expect(signals.map(listeners)).toEqual([1, 1, 0, 0, 0, 0]);
    await fixture.advance(500);
    lease.settle();
    await fixture.advance(0);
    expect(signals.map(listeners)).toEqual([0, 0, 0, 0, 0, 0]);
    fixture.acquire({ signal: signals[4]! });
    expect(listeners(signals[4]!)).toBe(1);
    fixture.limiter.close();
    fixture.acquire({ signal: signals[5]! });
    await fixture.advance(0);
    expect(signals.map(listeners)).toEqual([0, 0, 0, 0, 0, 0]);
  });
});
