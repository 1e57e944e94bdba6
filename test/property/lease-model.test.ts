// The limiter against the model of leases: no reservation is lost or counted twice, no grant exceeds a limit, no
// refusal is false, no waiter is forgotten, overtaken or late, and nothing remains at the end.
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { LeaseModelRun } from "../support/lease-model-run.ts";
import type { QuotaShape, Scenario, Step } from "../support/lease-scenario.ts";
import { propertyRuns } from "../support/test-effort.ts";

const seconds = fc.constantFrom(5, 20, 60);
const shapes: fc.Arbitrary<QuotaShape[]> = fc.uniqueArray(
  fc.record({
    dimension: fc.constantFrom("requests" as const, "requests" as const, "tokens" as const, "concurrency" as const),
    limit: fc.constantFrom(0, 1, 2, 3, 5, 12, 40),
    seconds,
  }),
  {
    maxLength: 3,
    selector: ({ dimension, seconds: s }) => (dimension === "concurrency" ? dimension : `${dimension} ${s}`),
  },
);
const name = fc.constantFrom("a", "b");
const which = fc.nat(50);
const wish = {
  capability: fc.constantFrom("chat" as const, "mail" as const, "solo" as const),
  requests: fc.constantFrom(1, 1, 1, 1, 2, 0),
  tokens: fc.constantFrom(0, 1, 3, 10),
  exclude: fc.constantFrom<readonly string[]>([], [], [], ["a"], ["b"]),
};
const status = fc.constantFrom(
  ...([
    "success",
    "success",
    "success",
    "client_error",
    "server_error",
    "timeout",
    "cancelled",
    "rate_limited",
  ] as const),
  ...(["overloaded", "forbidden", "quota_exhausted", "unauthorized"] as const),
);
const retryAfterMs = fc.constantFrom(0, 0, 0, 500.5, 4_000);

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("advance" as const),
      ms: fc.constantFrom(0, 0.125, 1, 7, 20.5, 300, 999, 1_000, 2_500, 6_000, 19_000, 61_000, 31_536_000_000),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("back" as const), ms: fc.constantFrom(1, 500, 70_000) }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant("tryAcquire" as const), ...wish }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("acquire" as const),
      ...wish,
      maxWaitMs: fc.constantFrom(0, 50, 3_000, 20_000, 70_000),
      priority: fc.constantFrom(0, 0, 0, 1, 2.5),
      fairnessKey: fc.constantFrom(undefined, undefined, "x", "y"),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constantFrom(
        "headers" as const,
        "headers" as const,
        "headers" as const,
        "release" as const,
        "dispose" as const,
      ),
      which,
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("report" as const), which, tokens: fc.constantFrom(0, 2, 15) }) },
  {
    weight: 7,
    arbitrary: fc.record({
      do: fc.constant("settle" as const),
      which,
      status,
      tokens: fc.constantFrom(undefined, undefined, 0, 2, 15),
      retryAfterMs,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("abort" as const), which }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("observe" as const),
      name,
      status,
      tokens: fc.constantFrom(0, 4),
      retryAfterMs,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("upsert" as const), name, shapes }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("limits" as const),
      name,
      limit: fc.constantFrom(0, 1, 2, 4, 40),
      paused: fc.constantFrom(false, false, true),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("pool" as const), limit: fc.constantFrom(1, 3, 10, 40) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom("remove" as const, "revive" as const, "revive" as const), name }),
  },
);

const world: fc.Arbitrary<Scenario> = fc.record({
  // An instant that the steps cannot reach, so that no result depends on the order of two events at one instant.
  skewCapMs: fc.constantFrom(1_000.0625, 1_000.0625, 200.0625, 5_000.0625, Number.POSITIVE_INFINITY),
  leaseTimeoutMs: fc.constantFrom(7_000.03125, 1e12, 1e12),
  maxWaiting: fc.constantFrom(4, 100),
  pool: fc.oneof(fc.constant([]), shapes),
  a: shapes,
  b: shapes,
  key: fc.oneof(fc.constant([]), shapes),
});

it("a limiter behaves like the model under any interleaving of calls", { timeout: 120_000 }, async () => {
  const runs = propertyRuns(400);
  await fc.assert(
    fc.asyncProperty(world, fc.array(step, { maxLength: 60, size: "max" }), async (given, steps) => {
      await new LeaseModelRun(given).play(steps);
    }),
    { numRuns: runs },
  );
  expect(runs).toBeGreaterThan(0);
});
