// A call with stated amounts is never refused early if it could be served in time. The brute-force model is a second limiter
// that plays the same script. There the call waits without a limit, and from then on everything goes as well as possible: all
// requests in flight return as much as they can, no other call comes, and every granted request ends immediately.
import fc from "fast-check";
import { expect, it } from "vitest";
import {
  GrateLimiter,
  type Lease,
  MockClock,
  NoAvailableProviders,
  type QuotaConfig,
  type ReportedQuota,
} from "../../src/index.ts";
import { flushPromises } from "../support/limiter-fixture.ts";
import { propertyRuns } from "../support/test-effort.ts";

interface Ask {
  readonly capability: "chat" | "solo" | "mail";
  readonly tokens: number;
  readonly priority: number;
  readonly fairnessKey: string | undefined;
  readonly exclude: readonly string[] | undefined;
}

type Step =
  | { readonly act: "acquire"; readonly ask: Ask; readonly count: number }
  | { readonly act: "headers" | "settle"; readonly which: number; readonly report: ReportedQuota | undefined }
  | { readonly act: "limit"; readonly rpm: number }
  | { readonly act: "advance"; readonly ms: number };

type World = readonly [pool: readonly QuotaConfig[], a: readonly QuotaConfig[], b: readonly QuotaConfig[]];

const MAX_TOKENS = 20;
const window = fc.constantFrom({ seconds: 5 }, { seconds: 20 });
const quota: fc.Arbitrary<QuotaConfig> = fc.oneof(
  fc.record({ dimension: fc.constant("requests" as const), limit: fc.constantFrom(1, 2, 5), window }),
  fc.record({ dimension: fc.constant("tokens" as const), limit: fc.constantFrom(10, 30, 100), window }),
  fc.record({
    dimension: fc.constantFrom("requests" as const, "tokens" as const),
    limit: fc.constantFrom(20, 50),
    window,
    strategy: fc.constant("token_bucket" as const),
    burst: fc.constantFrom(20, 60),
  }),
  fc.record({
    dimension: fc.constantFrom("requests" as const, "tokens" as const),
    limit: fc.constantFrom(20, 40),
    window,
    strategy: fc.constant("fixed_window" as const),
  }),
  fc.record({ dimension: fc.constant("concurrency" as const), limit: fc.constantFrom(1, 3) }),
);
const quotas = fc.array(quota, { minLength: 1, maxLength: 3 });
const ask: fc.Arbitrary<Ask> = fc.record({
  capability: fc.constantFrom("chat", "chat", "solo", "mail"),
  tokens: fc.constantFrom(1, 5, MAX_TOKENS),
  priority: fc.constantFrom(0, 0, 0, 1, -1),
  fairnessKey: fc.constantFrom(undefined, undefined, "x", "y"),
  exclude: fc.constantFrom(undefined, undefined, undefined, ["a"]),
});
const report: fc.Arbitrary<ReportedQuota | undefined> = fc.option(
  fc.record({
    dimension: fc.constantFrom("requests" as const, "tokens" as const),
    window,
    limit: fc.constantFrom(2, 20, 50),
    remaining: fc.constantFrom(0, 1, 20),
    resetMs: fc.constantFrom(0, 500, 4_000),
    resetKind: fc.constantFrom("full" as const, "window" as const, undefined),
  }),
  { nil: undefined },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({ act: fc.constant("acquire" as const), ask, count: fc.constantFrom(1, 3, 8) }),
  },
  {
    weight: 8,
    arbitrary: fc.record({ act: fc.constantFrom("headers" as const, "settle" as const), which: fc.nat(), report }),
  },
  { weight: 1, arbitrary: fc.record({ act: fc.constant("limit" as const), rpm: fc.constantFrom(2, 5) }) },
  {
    weight: 6,
    arbitrary: fc.record({ act: fc.constant("advance" as const), ms: fc.constantFrom(1, 700, 3_000, 9_000) }),
  },
);

function acquire(limiter: GrateLimiter, { capability, ...options }: Ask, maxWaitMs: number): Promise<Lease> {
  return limiter.acquire(capability, { ...options, maxWaitMs });
}

/** A limiter after a script. */
async function play([pool, a, b]: World, steps: readonly Step[]) {
  const clock = new MockClock();
  const limiter = new GrateLimiter({
    clock,
    pools: { org: { quotas: pool } },
    providers: [
      { name: "a", quotas: a, pools: ["org"] },
      { name: "b", quotas: b, pools: ["org"] },
    ],
    capabilities: { chat: ["a", "b"], solo: ["a"], mail: ["a"] },
  });
  const open: Lease[] = [];
  let endsImmediately = false;
  const take = (lease: Lease) => {
    if (endsImmediately) lease.settle();
    else open.push(lease);
  };
  for (const each of steps) {
    if (each.act === "acquire") {
      for (let i = 0; i < each.count; i++) {
        acquire(limiter, each.ask, Infinity).then(take, () => {});
      }
    } else if (each.act === "advance") await clock.advanceMsAsync(each.ms);
    else if (each.act === "limit") limiter.updateProvider("a", { limits: { rpm: each.rpm } });
    else if (open.length > 0) {
      const at = each.which % open.length;
      const reported = each.report && [each.report];
      if (each.act === "headers") open[at]!.headersReceived(reported && { reported });
      else open.splice(at, 1)[0]!.settle({ reported });
    }
    await flushPromises();
  }
  const endAll = async () => {
    endsImmediately = true;
    for (const lease of open.splice(0)) {
      lease.report({ tokens: 0 });
      lease.release();
    }
    await flushPromises();
  };
  return { clock, limiter, endAll };
}

it("a call is refused only if it could not be served in time even if everything went well", {
  timeout: 120_000,
}, async () => {
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.tuple(fc.oneof(fc.constant([]), quotas), quotas, quotas),
      fc.array(step, { minLength: 3, maxLength: 25 }),
      ask,
      fc.constantFrom(1_000, 5_000, 12_000, 40_000),
      async (world, steps, last, maxWaitMs) => {
        const { limiter } = await play(world, steps);
        const error = await Promise.race([
          acquire(limiter, last, maxWaitMs).catch((reason: unknown) => reason),
          flushPromises(),
        ]);
        limiter.close();
        if (!NoAvailableProviders.is(error)) return;
        refused++;
        expect(error.kind).toBe("refused");
        const model = await play(world, steps);
        const from = model.clock.now();
        let servedAfter = Infinity;
        const call = acquire(model.limiter, last, Infinity);
        const waits = call.then(
          (lease) => {
            servedAfter = model.clock.now() - from;
            lease.settle();
          },
          () => {},
        );
        await model.endAll();
        for (let ms = 0; ms < maxWaitMs; ms += 1_000) await model.clock.advanceMsAsync(1_000);
        model.limiter.close();
        await waits;
        expect(servedAfter).toBeGreaterThan(maxWaitMs);
      },
    ),
    { numRuns: propertyRuns(1_600) },
  );
  expect(refused).toBeGreaterThan(20);
});
