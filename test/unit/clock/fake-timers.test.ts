// MockClock in tests that replace the timers of the runtime by fake ones.
import { ModernFakeTimers } from "@jest/fake-timers";
import * as sinon from "@sinonjs/fake-timers";
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { GrateLimiter, MockClock } from "../../../src/index.ts";

type JestConfig = ConstructorParameters<typeof ModernFakeTimers>[0]["config"];

/**
 * Installs fake timers. Returns the function that restores the real ones. `nextTick` stays real, because the process of the
 * test sends its results through it.
 */
const RUNNERS: { readonly [name: string]: () => () => void } = {
  "no runner": () => () => {},
  vitest: () => {
    vi.useFakeTimers();
    return () => void vi.useRealTimers();
  },
  "vitest, microtasks included": () => {
    vi.useFakeTimers({ toFake: [...EVERY_TIMER, "queueMicrotask"] });
    return () => void vi.useRealTimers();
  },
  sinon: () => {
    const fake = sinon.install({ toNotFake: ["nextTick"] });
    return () => fake.uninstall();
  },
  jest: () => {
    const fakeTimers = { now: 0 };
    const timers = new ModernFakeTimers({ global: globalThis, config: { fakeTimers, rootDir: "/" } as JestConfig });
    timers.useFakeTimers({ doNotFake: ["nextTick"] });
    return () => timers.dispose();
  },
};
const EVERY_TIMER = ["setTimeout", "setImmediate", "setInterval", "Date", "performance"] as const;

/** A program with a provider of 10 requests a second: 30 calls, each of which takes 100 ms. Returns their instants. */
async function startsOf(clock: MockClock, Limiter: typeof GrateLimiter): Promise<readonly number[]> {
  const limiter = new Limiter({
    clock,
    providers: [{ name: "a", limits: { rps: 10 } }],
    capabilities: { chat: ["a"] },
  });
  const starts: number[] = [];
  const calls = Array.from({ length: 30 }, () =>
    limiter.run("chat", async () => {
      starts.push(clock.now());
      await new Promise<void>((resolve) => void clock.wakeAt(clock.now() + 100, resolve));
    }),
  );
  await clock.advanceMsAsync(5_000);
  await Promise.all(calls);
  return starts;
}

// Otherwise the next test file of this worker gets the copies that were loaded without fast macrotasks, and takes 60 times as
// long.
afterAll(() => void vi.resetModules());

describe.each(Object.keys(RUNNERS))("MockClock under the fake timers of %s", (runner) => {
  let restore = () => {};
  beforeEach(() => {
    restore = RUNNERS[runner]!();
  });
  afterEach(() => restore());

  it("a program with waits takes no real time and no fake timer", async () => {
    const starts = await startsOf(new MockClock(), GrateLimiter);
    expect(starts).toHaveLength(30);
    expect(starts[9]).toBe(0);
    expect(starts[29]).toBeGreaterThanOrEqual(2_000);
    expect(starts[29]).toBeLessThan(2_500);
  });

  it("the package can be loaded after the fake timers were installed", async () => {
    vi.resetModules();
    const fresh: typeof import("../../../src/index.ts") = await import("../../../src/index.ts");
    expect(fresh.MockClock).not.toBe(MockClock);
    expect(await startsOf(new fresh.MockClock(), fresh.GrateLimiter)).toHaveLength(30);
  });
});

describe("the macrotasks of MockClock", () => {
  afterEach(() => vi.unstubAllGlobals());

  it.each(["setImmediate", "MessageChannel", "setTimeout"])(
    "long chains of promises run before time moves on if the runtime has only %s",
    async (only) => {
      for (const name of ["setImmediate", "MessageChannel"]) if (name !== only) vi.stubGlobal(name, undefined);
      vi.resetModules();
      const fresh: typeof import("../../../src/index.ts") = await import("../../../src/index.ts");
      vi.unstubAllGlobals();
      const clock = new fresh.MockClock();
      const instants: number[] = [];
      for (const atMs of [10, 10, 20]) {
        clock.wakeAt(atMs, async () => {
          for (let step = 0; step < 1_000; step++) await Promise.resolve();
          instants.push(clock.now());
        });
      }
      await clock.advanceMsAsync(15);
      expect(instants).toEqual([10, 10]);
      await clock.advanceMsAsync(15);
      expect(instants).toEqual([10, 10, 20]);
    },
  );

  it("one simulated hour with 100,000 wake-ups takes at most 5 s", async () => {
    const clock = new MockClock();
    let woken = 0;
    // Half of the timers exist from the start, and half are created by others.
    for (let i = 0; i < 50_000; i++) {
      clock.wakeAt((3_600_000 * ((i * 7_919) % 50_000)) / 50_000, () => {
        woken++;
        clock.wakeAt(clock.now() + 1, () => void woken++);
      });
    }
    const began = performance.now();
    await clock.advanceMsAsync(3_600_000);
    expect(woken).toBe(100_000);
    expect(performance.now() - began).toBeLessThan(5_000);
  });

  it("100,000 timers are created and cancelled in any order without a linear search", () => {
    const clock = new MockClock();
    const began = performance.now();
    const cancels = Array.from({ length: 100_000 }, (_, i) => clock.wakeAt(100_000 - i, () => expect.unreachable()));
    for (let i = 0; i < cancels.length; i++) cancels[(i * 7_919) % cancels.length]!();
    clock.advanceMs(200_000);
    expect(performance.now() - began).toBeLessThan(2_000);
  });
});
