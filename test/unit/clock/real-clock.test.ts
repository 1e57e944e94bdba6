import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { RealClock } from "../../../src/index.ts";

describe("RealClock.now", () => {
  it("now() never goes back, and is a whole number of 1/1024 ms at or just below performance.now()", () => {
    const clock = new RealClock();
    let last = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < 20_000; i++) {
      const before = performance.now();
      const now = clock.now();
      const after = performance.now();
      if (now < last || !Number.isInteger(now * 1_024) || now > after || now <= before - 1 / 1_024) {
        expect.unreachable(`${now} between ${before} and ${after}, after ${last}`);
      }
      last = now;
    }
    expect(last).toBeGreaterThan(0);
  });

  it("epochMs() returns Unix time", () => {
    const before = Date.now();
    const epoch = new RealClock().epochNow();
    expect(epoch).toBeGreaterThanOrEqual(before);
    expect(epoch).toBeLessThanOrEqual(Date.now());
  });

  it("a limiter with RealClock wakes waiters in real time", async () => {
    const clock = new RealClock();
    const at = clock.now() + 20;
    const woken = await new Promise<number>((resolve) => {
      clock.wakeAt(at, () => resolve(clock.now()));
    });
    expect(woken).toBeGreaterThanOrEqual(at);
  });
});

describe("RealClock.wakeAt", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance", "Date"] });
  });
  afterEach(() => {
    vi.restoreAllMocks();
    vi.useRealTimers();
  });

  it("a timer fires once, at its instant", () => {
    const clock = new RealClock();
    const wake = vi.fn();
    clock.wakeAt(clock.now() + 1_000, wake);
    vi.advanceTimersByTime(999);
    expect(wake).not.toHaveBeenCalled();
    vi.advanceTimersByTime(2);
    expect(wake).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(100_000);
    expect(wake).toHaveBeenCalledTimes(1);
  });

  it("a timer for a past instant fires soon, but not within the call", () => {
    const clock = new RealClock();
    vi.advanceTimersByTime(1_000);
    const wake = vi.fn();
    clock.wakeAt(clock.now() - 500, wake);
    expect(wake).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(wake).toHaveBeenCalledTimes(1);
  });

  // A runtime fires a timer of more than 2^31 - 1 ms immediately.
  it.each([2 ** 31 - 1, 2 ** 31, 2 ** 32, 400 * 86_400_000])("a timer of %d ms does not fire immediately", (waitMs) => {
    const timers = vi.spyOn(globalThis, "setTimeout");
    const clock = new RealClock();
    const wake = vi.fn();
    clock.wakeAt(clock.now() + waitMs, wake);
    vi.advanceTimersByTime(60_000);
    expect(wake).not.toHaveBeenCalled();
    expect(timers.mock.calls.length).toBeLessThan(5);
    vi.advanceTimersByTime(waitMs - 60_001);
    expect(wake).not.toHaveBeenCalled();
    vi.advanceTimersByTime(2);
    expect(wake).toHaveBeenCalledTimes(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("a timer never fires before its instant, even if the instant has fractions", () => {
    const clock = new RealClock();
    const at = clock.now() + 10.25;
    let woken = Number.NaN;
    clock.wakeAt(at, () => {
      woken = clock.now();
    });
    vi.advanceTimersByTime(10);
    expect(woken).toBeNaN();
    vi.advanceTimersByTime(2);
    expect(woken).toBeGreaterThanOrEqual(at);
  });

  it.each([5, 2 ** 32])(
    "a cancelled timer of %d ms does not fire, and leaves no timer of the runtime behind",
    (waitMs) => {
      const timers = vi.spyOn(globalThis, "setTimeout");
      const clock = new RealClock();
      const wake = vi.fn();
      const cancel = clock.wakeAt(clock.now() + waitMs, wake);
      vi.advanceTimersByTime(Math.min(waitMs - 1, 1_000));
      expect(timers.mock.calls.length).toBeLessThan(5);
      // Into the second of the timers that a long wait needs.
      if (waitMs > 2 ** 31) vi.advanceTimersByTime(2 ** 31);
      cancel();
      cancel();
      expect(vi.getTimerCount()).toBe(0);
      vi.advanceTimersByTime(waitMs);
      expect(wake).not.toHaveBeenCalled();
    },
  );
});
