// The contract of clocks: one suite for all implementations.
import { describe, expect, it } from "vitest";
import type { Clock } from "../../src/index.ts";

/** A new clock, and a function that lets time pass on it. */
export interface ClockSubject {
  readonly clock: Required<Clock>;
  readonly pass: (ms: number) => Promise<void>;
}

/** Runs the contract of clocks. `create` returns a new clock for each test. */
export function clockContract(name: string, create: () => ClockSubject): void {
  describe(`the contract of clocks: ${name}`, () => {
    it("both readings of a clock are finite and move forward with time", async () => {
      const { clock, pass } = create();
      const [now, epoch] = [clock.now(), clock.epochNow()];
      expect(Number.isFinite(now) && Number.isFinite(epoch)).toBe(true);
      await pass(20);
      expect(clock.now()).toBeGreaterThanOrEqual(now + 15);
      expect(clock.epochNow()).toBeGreaterThanOrEqual(epoch + 15);
    });

    it("a timer fires once, at its instant or later", async () => {
      const { clock, pass } = create();
      const firedAt: number[] = [];
      const at = clock.now() + 10.25;
      clock.wakeAt(at, () => firedAt.push(clock.now()));
      expect(firedAt).toEqual([]);
      await pass(60);
      await pass(20);
      expect(firedAt).toHaveLength(1);
      expect(firedAt[0]).toBeGreaterThanOrEqual(at);
    });

    it("a timer for a past instant fires soon, but not within the call", async () => {
      const { clock, pass } = create();
      let fired = 0;
      clock.wakeAt(clock.now() - 5, () => fired++);
      expect(fired).toBe(0);
      await pass(30);
      await pass(20);
      expect(fired).toBe(1);
    });

    it("a cancelled timer does not fire, and cancelling twice or late does no harm", async () => {
      const { clock, pass } = create();
      const fired: string[] = [];
      const cancel = clock.wakeAt(clock.now() + 5, () => fired.push("cancelled"));
      const late = clock.wakeAt(clock.now() + 5, () => fired.push("kept"));
      cancel();
      cancel();
      await pass(40);
      await pass(20);
      late();
      expect(fired).toEqual(["kept"]);
    });

    it("a timer can set another timer", async () => {
      const { clock, pass } = create();
      let fired = 0;
      clock.wakeAt(clock.now() + 5, () => clock.wakeAt(clock.now() + 5, () => fired++));
      await pass(60);
      await pass(20);
      expect(fired).toBe(1);
    });
  });
}
