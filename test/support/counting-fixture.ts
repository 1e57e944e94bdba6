// Constants and checks of the tests of the time for which a lease counts.
import { expect } from "vitest";
import type { Lease } from "../../src/index.ts";
import type { LimiterFixture } from "./limiter-fixture.ts";

export const SKEW_CAP_MS = 1_000;

/** Expects `amount` to be counted until `ms` and not afterwards. */
export function expectCountedUntil(
  fixture: LimiterFixture,
  ms: number,
  amount = 1,
  dimension: "requests" | "tokens" = "requests",
) {
  if (fixture.clock.now() < ms) {
    fixture.clock.set(ms - 2 ** -7);
    expect(fixture.counted(dimension), `just before ${ms}`).toBe(amount);
  }
  fixture.clock.set(ms);
  expect(fixture.counted(dimension), `at ${ms}`).toBe(0);
  expect(fixture.quota(dimension)).toMatchObject({ used: 0, inFlight: 0 });
}

export const settleAsTimeout = (lease: Lease) => lease.settle({ status: "timeout" });

export const settleAsCancelled = (lease: Lease) => lease.settle({ status: "cancelled" });

export const disposeLease = (lease: Lease) => lease[Symbol.dispose]();

export const settleAsRateLimited = (lease: Lease) => lease.settle({ status: "rate_limited" });
