// An observation that is made while another one is applied leaves the other one as it is.
import { expect, it } from "vitest";
import { GrateLimiter } from "../../../src/index.ts";

it("an observation made by a scoring strategy during another observation changes only its own provider", () => {
  let now = 0;
  let isArmed = false;
  const limiter: GrateLimiter<string> = new GrateLimiter<string>({
    // A clock whose timer never wakes: only a call serves the waiter.
    clock: { now: () => now, wakeAt: () => () => {} },
    providers: [{ name: "a", limits: { rpm: 1, tpm: 1_000_000 } }, { name: "b" }],
    capabilities: { c: ["a"] },
    scoring: {
      score() {
        if (isArmed) {
          isArmed = false;
          limiter.observe({ provider: "b", usage: { tokens: 700 }, outcome: { status: "server_error" } });
        }
        return 1;
      },
    },
  });
  limiter.observe({ provider: "a", outcome: { status: "success" } });
  limiter.acquire("c").catch(() => {});
  // After a window, the next call serves the waiter, which calls the strategy.
  now = 120_000;
  isArmed = true;
  limiter.observe({ provider: "a", usage: { requests: 0, tokens: 30 }, outcome: { status: "success" } });
  expect(isArmed).toBe(false);
  // The lease of the waiter reserves a tenth of the limit.
  expect(limiter.remainingQuota("a", "tokens")).toBe(1_000_000 - 30 - 100_000);
  expect(limiter.providerHealth("a")).toBe(1);
});
