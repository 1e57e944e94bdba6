import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GrateLimiterError, MockClock } from "../../../src/index.ts";

describe("the readings of MockClock", () => {
  it("MockClock starts with both instants at 0", () => {
    const clock = new MockClock();
    expect([clock.now(), clock.epochNow()]).toEqual([0, 0]);
  });

  it("the epoch of MockClock moves with now(), forward and back", () => {
    const clock = new MockClock({ startMs: 100, epochMs: 1_000_000 });
    expect([clock.now(), clock.epochNow()]).toEqual([100, 1_000_000]);
    clock.advanceMs(50.5);
    expect([clock.now(), clock.epochNow()]).toEqual([150.5, 1_000_050.5]);
    clock.advanceSecs(2);
    expect([clock.now(), clock.epochNow()]).toEqual([2_150.5, 1_002_050.5]);
    clock.set(-900);
    expect([clock.now(), clock.epochNow()]).toEqual([-900, 999_000]);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    "MockClock rejects the instant %s",
    (odd) => {
      const clock = new MockClock({ startMs: 5 });
      for (const call of [
        () => clock.advanceMs(odd),
        () => clock.advanceSecs(odd),
        () => clock.set(odd),
        () => new MockClock({ startMs: odd }),
        () => new MockClock({ epochMs: odd }),
      ]) {
        expect(call).toThrow(expect.toSatisfy(GrateLimiterError.is));
      }
      expect(clock.now()).toBe(5);
    },
  );

  it("MockClock does not advance backwards", () => {
    const clock = new MockClock({ startMs: 5 });
    expect(() => clock.advanceMs(-1)).toThrow(expect.toSatisfy(GrateLimiterError.is));
    expect(clock.now()).toBe(5);
  });
});

describe("the timers of MockClock", () => {
  it("timers fire in order of their instants, equal ones in order of creation, with now() at each instant", () => {
    const instants = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(instants, fc.boolean(), (due, isSet) => {
        const clock = new MockClock();
        const woken: [at: number, place: number, now: number][] = [];
        for (const [place, at] of due.entries()) clock.wakeAt(at, () => woken.push([at, place, clock.now()]));
        if (isSet) clock.set(40);
        else clock.advanceMs(40);
        const expected = due
          .map((at, place): [number, number, number] => [at, place, at])
          .filter(([at]) => at <= 40)
          .sort((a, b) => a[0] - b[0] || a[1] - b[1]);
        expect(woken).toEqual(expected);
        expect(clock.now()).toBe(40);
      }),
    );
  });

  it("a timer fires at its instant and not before", () => {
    const clock = new MockClock();
    let woken = 0;
    clock.wakeAt(10, () => woken++);
    clock.advanceMs(9.999);
    expect(woken).toBe(0);
    clock.advanceMs(0.001);
    expect(woken).toBe(1);
    clock.advanceMs(1_000);
    expect(woken).toBe(1);
  });

  it("a timer that is set during an advance fires if its instant is within the advance", () => {
    const clock = new MockClock();
    const woken: number[] = [];
    const again = () => {
      woken.push(clock.now());
      clock.wakeAt(clock.now() + 10, again);
    };
    clock.wakeAt(10, again);
    clock.advanceMs(35);
    expect(woken).toEqual([10, 20, 30]);
    expect(clock.now()).toBe(35);
  });

  it("a cancelled timer does not fire, and all others do", () => {
    const clock = new MockClock();
    const woken: string[] = [];
    const cancelA = clock.wakeAt(10, () => woken.push("a"));
    clock.wakeAt(10, () => woken.push("b"));
    const cancelC = clock.wakeAt(20, () => woken.push("c"));
    clock.wakeAt(15, cancelC);
    cancelA();
    cancelA();
    clock.advanceMs(100);
    cancelC();
    expect(woken).toEqual(["b"]);
  });

  it("setting the clock back fires no timer, and timers keep their instants", () => {
    const clock = new MockClock({ startMs: 100 });
    const woken: number[] = [];
    clock.wakeAt(150, () => woken.push(clock.now()));
    clock.set(0);
    expect(woken).toEqual([]);
    clock.advanceMs(149);
    expect(woken).toEqual([]);
    clock.advanceMs(1);
    expect(woken).toEqual([150]);
  });

  it("a timer for a past instant fires at the next step, and the clock does not go back", () => {
    const clock = new MockClock({ startMs: 100 });
    const woken: number[] = [];
    clock.wakeAt(50, () => woken.push(clock.now()));
    clock.advanceMs(0);
    expect(woken).toEqual([100]);
  });
});

describe("advanceMsAsync", () => {
  it("advanceMsAsync lets promises run after every timer and before the next one", async () => {
    const clock = new MockClock();
    const log: string[] = [];
    const worker = async (name: string, stepMs: number) => {
      for (let step = 0; step < 3; step++) {
        await new Promise<void>((resolve) => {
          clock.wakeAt(clock.now() + stepMs, resolve);
        });
        await Promise.resolve();
        log.push(`${name} ${clock.now()}`);
      }
    };
    const done = [worker("slow", 20), worker("fast", 5)];
    await clock.advanceMsAsync(100);
    await Promise.all(done);
    expect(log).toEqual(["fast 5", "fast 10", "fast 15", "slow 20", "slow 40", "slow 60"]);
    expect(clock.now()).toBe(100);
  });

  it("advanceMsAsync first lets earlier promises run, and finally those of the last timer", async () => {
    const clock = new MockClock();
    const log: string[] = [];
    void Promise.resolve().then(() => clock.wakeAt(5, () => void Promise.resolve().then(() => log.push("woken"))));
    await clock.advanceMsAsync(5);
    expect(log).toEqual(["woken"]);
  });

  it("advanceMsAsync takes no real time", async () => {
    const clock = new MockClock();
    const began = performance.now();
    await clock.advanceMsAsync(365 * 86_400_000);
    expect(performance.now() - began).toBeLessThan(60_000);
    expect(clock.now()).toBe(365 * 86_400_000);
  });
});
