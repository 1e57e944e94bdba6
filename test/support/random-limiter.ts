// Random limiters with a history. The same history can be built several times, so that a property can compare identical
// limiters at different instants.
import fc from "fast-check";
import {
  GrateLimiter,
  type GrateLimiterOptions,
  MockClock,
  NoAvailableProviders,
  type ProviderConfig,
  type QuotaConfig,
  type SelectOptions,
  StatusClass,
  type Usage,
} from "../../src/index.ts";
import { withLists } from "./with-lists.ts";

export const NAMES = ["a", "b", "c", "d"] as const;

export interface Step {
  advanceMs: number;
  provider: string;
  usage: Usage;
  status: StatusClass;
  latencyMs: number | undefined;
  retryAfterMs: number | undefined;
}

export interface LimiterHistory {
  providers: ProviderConfig[];
  listed: readonly (string | { provider: string; priority: number })[];
  minimumHealthScore: number;
  steps: Step[];
}

const limit = fc.constantFrom(0, 1, 3, 10, 40);
const window = fc.constantFrom(
  "second" as const,
  "minute" as const,
  "hour" as const,
  { seconds: 7 },
  { seconds: 61.3 },
);
const dimension = fc.constantFrom("requests" as const, "tokens" as const, "bytes" as const);

const quota: fc.Arbitrary<QuotaConfig> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ dimension, limit, window }) },
  {
    weight: 1,
    arbitrary: fc.record({
      dimension,
      limit: fc.integer({ min: 0, max: 20 }),
      window,
      strategy: fc.constant("token_bucket" as const),
      burst: fc.option(fc.integer({ min: 0, max: 20 }), { nil: undefined }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ dimension, limit, window, strategy: fc.constant("fixed_window" as const) }) },
  { weight: 1, arbitrary: fc.record({ dimension: fc.constant("concurrency" as const), limit }) },
);

const provider = (name: string): fc.Arbitrary<ProviderConfig> =>
  fc.record({
    name: fc.constant(name),
    quotas: fc.array(quota, { maxLength: 3 }),
    priority: fc.constantFrom(undefined, 0, 5, 10, 12.5),
    weight: fc.constantFrom(undefined, undefined, 0, 0.5, 3),
    paused: fc.constantFrom(undefined, false, false, false, true),
    cooldownSeconds: fc.constantFrom(undefined, 0.5, 20),
  });

const step: fc.Arbitrary<Step> = fc.record({
  advanceMs: fc.constantFrom(0, 0, 1, 0.375, 333.25, 1_000, 3_333.125, 40_000.75),
  provider: fc.constantFrom(...NAMES),
  usage: fc.record({
    requests: fc.constantFrom(undefined, 0, 1, 2, 9),
    tokens: fc.constantFrom(undefined, 0, 3, 30),
    bytes: fc.constantFrom(undefined, 7),
  }),
  status: fc.constantFrom("success", "success", "success", "success", ...Object.values(StatusClass)),
  latencyMs: fc.constantFrom(undefined, 10, 400),
  retryAfterMs: fc.constantFrom(undefined, undefined, 1_500.5),
});

export const demands: fc.Arbitrary<SelectOptions> = fc.record({
  requests: fc.constantFrom(undefined, 0, 1, 4),
  tokens: fc.constantFrom(undefined, 0, 2, 11),
});

export const histories: fc.Arbitrary<LimiterHistory> = fc.record({
  providers: fc
    .tuple(provider("a"), provider("b"), provider("c"), provider("d"))
    .chain((all) => fc.shuffledSubarray(all, { minLength: 1 })),
  listed: fc.array(
    fc.oneof(
      fc.constantFrom(...NAMES),
      fc.record({ provider: fc.constantFrom(...NAMES), priority: fc.constantFrom(0, 7, 10) }),
    ),
    { minLength: 1, maxLength: 6 },
  ),
  minimumHealthScore: fc.constantFrom(0, 0.2, 0.8),
  steps: fc.array(step, { maxLength: 25 }),
});

/** Creates a limiter, applies the steps of the history, and then advances the clock by `laterMs`. */
export function buildLimiter(history: LimiterHistory, laterMs = 0, more: Partial<GrateLimiterOptions> = {}) {
  const clock = new MockClock({ startMs: 5_000 });
  const options = { clock, providers: history.providers, minimumHealthScore: history.minimumHealthScore };
  const limiter = withLists(new GrateLimiter({ ...options, ...more }), { chat: history.listed });
  for (const { advanceMs, provider: name, usage, ...outcome } of history.steps) {
    clock.advanceMs(advanceMs);
    if (limiter.providerHealth(name) !== null) limiter.observe({ provider: name, usage, outcome });
  }
  clock.advanceMs(laterMs);
  return { clock, limiter };
}

/** Returns the listed names, each once, at its first position. */
export function listedNames(history: LimiterHistory): string[] {
  return [...new Set(history.listed.map((entry) => (typeof entry === "string" ? entry : entry.provider)))];
}

/** Returns the decision or the refusal of `select`. */
export function trySelect(limiter: GrateLimiter, options?: SelectOptions) {
  try {
    return { decision: limiter.select("chat", options), refusal: null };
  } catch (error) {
    if (NoAvailableProviders.is(error)) return { decision: null, refusal: error };
    throw error;
  }
}
