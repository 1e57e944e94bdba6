// All clocks satisfy one contract: those of the package and the counting clock of the tests.
import { setTimeout as sleep } from "node:timers/promises";
import { MockClock, RealClock } from "../../src/index.ts";
import { clockContract } from "../support/clock-contract.ts";
import { CountingClock } from "../support/counting-clock.ts";

clockContract("RealClock", () => ({ clock: new RealClock(), pass: (ms) => sleep(ms) }));

for (const [name, create] of [
  ["MockClock", () => new MockClock({ startMs: 500, epochMs: 1_000_000 })],
  ["the counting clock of the tests", () => new CountingClock()],
] as const) {
  clockContract(name, () => {
    const clock = create();
    return { clock, pass: (ms) => clock.advanceMsAsync(ms) };
  });
}
