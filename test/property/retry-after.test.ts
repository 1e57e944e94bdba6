// retryAfterMs is exact: at that instant the same request is granted if nothing else happened, and a millisecond before
// it is not.
import * as fc from "fast-check";
import { expect, it } from "vitest";
import type { Demand } from "../support/lease-model.ts";
import { LeaseModelRun } from "../support/lease-model-run.ts";
import type { QuotaShape, Scenario, Step } from "../support/lease-scenario.ts";
import { propertyRuns } from "../support/test-effort.ts";

const RESOLUTION = 512;
const shape = (dimension: QuotaShape["dimension"]): fc.Arbitrary<QuotaShape> =>
  fc.record({
    dimension: fc.constant(dimension),
    limit: fc.constantFrom(1, 2, 3, 5, 9),
    seconds: fc.constantFrom(1, 5, 60),
  });
const shapes = fc.uniqueArray(fc.oneof(shape("requests"), shape("requests"), shape("tokens"), shape("concurrency")), {
  minLength: 1,
  maxLength: 3,
  selector: ({ dimension, seconds }) => (dimension === "concurrency" ? dimension : `${dimension} ${seconds}`),
});
const which = fc.nat(30);
const wish = {
  capability: fc.constantFrom("chat" as const, "chat" as const, "solo" as const),
  requests: fc.constantFrom(1, 1, 1, 2),
  tokens: fc.constantFrom(0, 1, 2, 5),
  exclude: fc.constant<readonly string[]>([]),
};
const status = fc.constantFrom(
  ...(["success", "success", "success", "success", "timeout", "cancelled", "rate_limited", "server_error"] as const),
);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("tryAcquire" as const), ...wish }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("advance" as const),
      ms: fc.constantFrom(0.125, 1, 1.5, 3, 9, 20.25, 100, 300, 999, 2_400, 7_000, 30_000),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("headers" as const), which }) },
  {
    weight: 3,
    arbitrary: fc.record({
      ...{ do: fc.constant("settle" as const), which, status },
      ...{ tokens: fc.constantFrom(undefined, undefined, 1, 4), retryAfterMs: fc.constantFrom(0, 0, 0, 0, 2_000.5) },
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("release" as const), which }) },
);
const world: fc.Arbitrary<Scenario> = fc.record({
  skewCapMs: fc.constantFrom(1_000.0625, 1_000.0625, 200.0625, Number.POSITIVE_INFINITY),
  leaseTimeoutMs: fc.constant(1e12),
  maxWaiting: fc.constant(10),
  pool: fc.oneof(fc.constant([]), shapes),
  a: shapes,
  b: shapes,
});

/**
 * The first instant at which exact logs have capacity if nothing else happens, how much later a coarse log has it, and
 * whether it can be exact.
 */
function foretold(run: LeaseModelRun, names: readonly string[], needs: Demand, now: number) {
  const { model } = run;
  const instants = new Set<number>();
  let coarsestMs = 0;
  let isExact = true;
  for (const { cooldownUntil, quotas } of model.providers.values()) {
    instants.add(cooldownUntil);
    for (const { windowMs, parts, limit } of quotas) {
      if (windowMs === null || limit === 0) continue;
      coarsestMs = Math.max(coarsestMs, windowMs / RESOLUTION);
      const stamps: number[] = [];
      for (const part of parts) {
        const lease = model.leases.find((one) => [...one.parts.values()].includes(part));
        const stamp = Number.isNaN(part.stamp) ? lease!.stampDueAt : part.stamp;
        instants.add(stamp + windowMs);
        stamps.push(stamp);
      }
      stamps.sort((x, y) => x - y);
      isExact &&= stamps.every(
        (stamp, i) => i === 0 || stamp === stamps[i - 1] || stamp - stamps[i - 1]! >= windowMs / RESOLUTION,
      );
    }
  }
  for (const { freeAt } of model.leases) instants.add(freeAt);
  const ahead = [...instants].filter((at) => at > now && Number.isFinite(at)).sort((x, y) => x - y);
  for (const at of ahead) {
    model.read(at);
    const hasRoom = names.some((name) => {
      const obstacles = model.obstacles(name, needs, at);
      if (obstacles.some((obstacle) => !["quota", "concurrency"].includes(obstacle))) return false;
      return model.providers.get(name)!.quotas.every((quota) => {
        const need = needs[quota.dimension];
        const used = quota.windowMs === null ? 0 : quota.bounds(at)[0];
        return need === 0 || used + quota.inFlight() + need <= quota.limit;
      });
    });
    if (hasRoom) return { at, coarsestMs, isExact };
  }
  return null;
}

it("retryAfterMs is the instant of capacity, exactly or at most 0.2 % of a window late, or null if unknown", {
  timeout: 120_000,
}, async () => {
  const seen = { numbers: 0, exact: 0, nulls: 0 };
  await fc.assert(
    fc.asyncProperty(
      world,
      fc.array(step, { maxLength: 40, size: "max" }),
      fc.record(wish),
      async (given, steps, last) => {
        const lived = async () => {
          const run = new LeaseModelRun(given);
          for (const each of steps) await run.live(each);
          return run;
        };
        const options = { requests: last.requests, tokens: last.tokens };
        const isGranted = (run: LeaseModelRun) => run.limiter.tryAcquire(last.capability, options).granted;
        const run = await lived();
        const answer = run.limiter.tryAcquire(last.capability, options);
        if (answer.granted) return;
        const now = run.clock.now();
        const { retryAfterMs } = answer;
        const names = last.capability === "chat" ? ["a", "b"] : ["a"];
        // The ramp has a test of its own.
        if ([...run.model.providers.values()].some((provider) => provider.isRampedAt(now))) return;
        const expected = foretold(run, names, { ...options, concurrency: 1 }, now);
        // The end of a request decides a trial and a ramp by requests in flight, and time only if it hangs: as the model says.
        const isGated = [...run.model.providers.values()].some((provider) => provider.isGatedAt(now));
        if (isGated) {
          for (const ms of [1, 1_000, 10_000, 100_000, retryAfterMs ?? 0]) {
            const later = await lived();
            await later.live({ do: "advance", ms });
            await later.live({ do: "tryAcquire", ...last });
          }
        }
        if (retryAfterMs === null) {
          if (isGated) return;
          seen.nulls++;
          expect(expected).toBeNull();
          const later = await lived();
          for (const ms of [1, 1_000, 10_000, 100_000, 1e9]) {
            later.clock.set(now + ms);
            expect(isGranted(later)).toBe(false);
          }
          return;
        }
        seen.numbers++;
        expect(Number.isInteger(retryAfterMs) && retryAfterMs >= 1).toBe(true);
        const punctual = await lived();
        punctual.clock.set(now + retryAfterMs);
        expect(isGranted(punctual), `not granted at the stated time, ${retryAfterMs} ms later`).toBe(true);
        if (isGated) return;
        const early = await lived();
        early.clock.set(now + retryAfterMs - 1);
        expect(isGranted(early), `granted ${retryAfterMs - 1} ms later, before the stated time`).toBe(false);
        expect(expected).not.toBeNull();
        const { at, coarsestMs, isExact } = expected!;
        if (isExact) seen.exact++;
        expect(retryAfterMs).toBeGreaterThanOrEqual(at - now);
        expect(retryAfterMs).toBeLessThanOrEqual(Math.ceil(at - now + (isExact ? 0 : coarsestMs)));
      },
    ),
    { numRuns: propertyRuns(500) },
  );
  expect(Math.min(seen.numbers, seen.exact, seen.nulls)).toBeGreaterThan(10);
});
