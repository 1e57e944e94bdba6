// A configuration and a check for the tests of changes with requests in flight.
import { expect } from "vitest";
import type { LimiterFixture } from "./limiter-fixture.ts";

export const tokensPerMinute = (limit: number) => ({ dimension: "tokens" as const, limit, window: "minute" as const });

export function expectNothingCounted(fixture: LimiterFixture): void {
  for (const { inFlight, quotas } of fixture.limiter.inspect().providers) {
    expect(inFlight).toBe(0);
    for (const quota of quotas) expect(quota, JSON.stringify(quota)).toMatchObject({ used: 0, inFlight: 0 });
  }
  expect(fixture.limiter.inspect()).toMatchObject({ oldestLeaseMs: null, waiting: {} });
}
