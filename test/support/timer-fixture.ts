// Counters of the timers and promises that a call leaves behind.
import { vi } from "vitest";
import type { RunFixture } from "./run-fixture.ts";

export const ABORT_REASON = new Error("the user went away");

/** The number of timers that were requested from the clock and neither fired nor cancelled. */
export function pendingTimers({ clock }: RunFixture): () => number {
  let pending = 0;
  const { wakeAt } = clock;
  vi.spyOn(clock, "wakeAt").mockImplementation((atMs, wake) => {
    let isPending = true;
    const end = () => {
      pending -= Number(isPending);
      isPending = false;
    };
    pending++;
    const cancel = wakeAt.call(clock, atMs, () => {
      end();
      wake();
    });
    return () => {
      end();
      cancel();
    };
  });
  return () => pending;
}
