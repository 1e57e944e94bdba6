// A pass of the wait queue defers waiters that cannot be served. It never defers them if a strategy of the caller scores the
// providers. So both limiters of a test differ in nothing but that, and give the same answers, if a pass precedes each call.
import fc from "fast-check";
import { expect, it } from "vitest";
import {
  GrateLimiter,
  type GrateLimiterOptions,
  type Lease,
  MockClock,
  NoAvailableProviders,
} from "../../src/index.ts";
import { WeightedScorer } from "../../src/scoring/weighted-scorer.ts";
import { flushPromises } from "../support/limiter-fixture.ts";

const CAPABILITIES = 6;

/** Three capabilities share a list of providers, two share another, one has its own; a pool connects them. */
function options(isWithPool: boolean): Omit<GrateLimiterOptions, "clock" | "scoring"> {
  const pools = isWithPool ? ["all"] : [];
  return {
    pools: { all: { limits: { tpm: 60, rpm: 30 } } },
    providers: [
      { name: "a", limits: { concurrency: 2, rpm: 20 }, pools },
      { name: "b", limits: { concurrency: 1, tpm: 40 }, pools },
      { name: "c", limits: { rpm: 3 } },
    ],
    capabilities: {
      c0: ["a"],
      c1: ["a"],
      c2: ["a"],
      c3: ["a", "b"],
      c4: ["a", "b"],
      c5: ["c", "b"],
    },
    maxWaiting: 1_000,
  };
}

type Step =
  | {
      readonly act: "acquire";
      readonly capability: number;
      readonly tokens: number;
      readonly waitMs: number;
      readonly priority: number;
      readonly fairnessKey: string | undefined;
    }
  | { readonly act: "tryAcquire"; readonly capability: number; readonly tokens: number }
  | { readonly act: "settle"; readonly lease: number; readonly status: number; readonly tokens: number }
  | { readonly act: "advance"; readonly ms: number }
  | { readonly act: "declare"; readonly capability: number; readonly list: number };

const LISTS = [["a"], ["a", "b"], ["c"]];
const STATUSES = ["success", "success", "cancelled", "server_error", "rate_limited"] as const;
const capability = fc.nat(CAPABILITIES - 1);
// Specified, because the margin of an estimate depends on the order of the claims.
const tokens = fc.constantFrom(1, 5, 20);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 30,
    arbitrary: fc.record({
      act: fc.constant("acquire" as const),
      capability,
      tokens,
      waitMs: fc.constantFrom(500, 5_000, 60_000, 60_000),
      priority: fc.constantFrom(0, 0, 0, 1, 2, -1),
      fairnessKey: fc.constantFrom(undefined, undefined, "x", "y"),
    }),
  },
  { weight: 5, arbitrary: fc.record({ act: fc.constant("tryAcquire" as const), capability, tokens }) },
  {
    weight: 20,
    arbitrary: fc.record({ act: fc.constant("settle" as const), lease: fc.nat(), status: fc.nat(4), tokens }),
  },
  {
    weight: 10,
    arbitrary: fc.record({ act: fc.constant("advance" as const), ms: fc.constantFrom(1, 100, 1_500, 20_000) }),
  },
  { weight: 1, arbitrary: fc.record({ act: fc.constant("declare" as const), capability, list: fc.nat(2) }) },
);

/** What happened, in order. A call that times out at the instant of a grant can be rejected before or after it. */
interface Log {
  readonly granted: string[];
  readonly rejected: string[];
  readonly refused: string[];
  readonly end: unknown;
}

async function play(steps: readonly Step[], isWithPool: boolean, isDeferring: boolean): Promise<Log> {
  const clock = new MockClock();
  const scorer = new WeightedScorer();
  const scoring = isDeferring ? {} : { scoring: { score: (context: never) => scorer.score(context) } };
  const limiter = new GrateLimiter({ ...options(isWithPool), ...scoring, clock } as GrateLimiterOptions);
  const granted: string[] = [];
  const rejected: string[] = [];
  const refused: string[] = [];
  const leases: Lease[] = [];
  const take = (call: number, lease: Lease) => {
    leases.push(lease);
    granted.push(`${clock.now()} ${call} ${lease.provider}`);
  };
  for (const [call, each] of steps.entries()) {
    // Runs a pass: the claims of deferred waiters are as old as those of evaluated ones.
    limiter.updateProvider("a", {});
    if (each.act === "acquire") {
      const { tokens: amount, waitMs, priority, fairnessKey } = each;
      limiter.acquire(`c${each.capability}`, { maxWaitMs: waitMs, priority, fairnessKey, tokens: amount }).then(
        (lease) => take(call, lease),
        (error) => {
          const { kind, retryAfterMs } = error as NoAvailableProviders;
          rejected.push(`${clock.now()} ${call} ${NoAvailableProviders.is(error) ? `${kind} ${retryAfterMs}` : error}`);
        },
      );
    } else if (each.act === "tryAcquire") {
      const answer = limiter.tryAcquire(`c${each.capability}`, { tokens: each.tokens });
      if (answer.granted) take(call, answer);
      else refused.push(`${call} ${JSON.stringify(answer)}`);
    } else if (each.act === "settle" && leases.length > 0) {
      const [lease] = leases.splice(each.lease % leases.length, 1);
      lease!.settle({ status: STATUSES[each.status]!, usage: { tokens: each.tokens } });
    } else if (each.act === "advance") await clock.advanceMsAsync(each.ms);
    else if (each.act === "declare")
      limiter.upsertCapability({ name: `c${each.capability}`, providers: LISTS[each.list]! });
    await flushPromises();
  }
  await clock.advanceMsAsync(120_000);
  const end = limiter.inspect();
  limiter.close();
  return { granted, rejected, refused, end };
}

it("answers are the same whether waiters are deferred or evaluated in every pass", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 80 }), fc.boolean(), async (steps, isWithPool) => {
      expect(await play(steps, isWithPool, true)).toEqual(await play(steps, isWithPool, false));
    }),
    { numRuns: 300 },
  );
});
