import { chatFixture, type LimiterFixture } from "./limiter-fixture.ts";

export const ESTIMATE = { tokens: 100, bytes: 50, costMicroUsd: 700 };

export function endingFixture(leaseTimeoutMs = 600_000) {
  return chatFixture(
    {
      limits: { rpm: 10, tpm: 1_000, concurrency: 3, usdPerHour: 1 },
      quotas: [{ dimension: "bytes", limit: 500, window: "minute" }],
    },
    { leaseTimeoutMs },
  );
}

export function counts({ counted }: Counted) {
  return [counted("requests"), counted("tokens"), counted("bytes"), counted("cost_usd")];
}

export type Counted = { counted: LimiterFixture["counted"] };

export const boundCounted = (fixture: LimiterFixture): Counted => ({
  counted: (...asked) => fixture.counted(...asked),
});

export const AS_ESTIMATED = [1, 100, 50, 700];

export const COUNTED = ["success", "client_error", "server_error", "overloaded", "timeout"] as const;

export const GIVEN_BACK = ["rate_limited", "quota_exhausted", "unauthorized", "forbidden"] as const;
