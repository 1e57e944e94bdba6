// Selection caches its readings. A limiter with discarded caches must give the same answers: `updateProvider` without a
// change discards the reading of a provider, and adding or removing a provider discards every ranking.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  GrateLimiter,
  type GrateLimiterOptions,
  type Lease,
  MockClock,
  NoAvailableProviders,
  PriorityScorer,
  type ScoringStrategy,
  type SelectOptions,
} from "../../src/index.ts";
import { propertyRuns } from "../support/test-effort.ts";

const NAMES = ["a", "b", "c", "d"] as const;
const STATUSES = ["success", "rate_limited", "server_error", "timeout", "client_error", "quota_exhausted"] as const;

const options = (clock: MockClock, scoring?: GrateLimiterOptions["scoring"]): GrateLimiterOptions => ({
  clock,
  ...(scoring !== undefined && { scoring }),
  defaultCooldownSeconds: 5,
  health: { cooldownTriggerCount: 2, decayHalfLifeSeconds: 20 },
  pools: { shared: { quotas: [{ dimension: "requests", limit: 4, window: { seconds: 10 } }] } },
  providers: [
    { name: "a", priority: 10, limits: { rpm: 5, tpm: 200 }, price: { usdPerMillionInputTokens: 3 } },
    {
      name: "b",
      priority: 9,
      pools: ["shared"],
      limits: { concurrency: 3, usdPerDay: 1 },
      price: { usdPerRequest: 0.01 },
    },
    {
      name: "c",
      priority: 9,
      pools: ["shared"],
      quotas: [{ dimension: "tokens", limit: 60, window: { seconds: 20 }, strategy: "token_bucket", burst: 100 }],
    },
    {
      name: "d",
      priority: 1,
      quotas: [{ dimension: "requests", limit: 2, window: "second", strategy: "fixed_window" }],
    },
  ],
  // The first two capabilities share their list.
  capabilities: { chat: [...NAMES], talk: [...NAMES], mail: [{ provider: "d", priority: 11 }, "b"], sms: ["a"] },
});

const request: fc.Arbitrary<SelectOptions | undefined> = fc.option(
  fc.record(
    {
      tokens: fc.oneof(fc.nat(80), fc.constant(0), fc.nat(600)),
      requests: fc.nat(4),
      maxOutputTokens: fc.nat(200),
      only: fc.uniqueArray(fc.constantFrom(...NAMES), { minLength: 1 }),
      exclude: fc.uniqueArray(fc.constantFrom(...NAMES), { maxLength: 2 }),
    },
    { requiredKeys: [] },
  ),
  { nil: undefined, freq: 1 },
);
const capability = fc.constantFrom("chat", "talk", "mail", "sms");
const name = fc.constantFrom(...NAMES);
const step = fc.oneof(
  { weight: 10, arbitrary: fc.record({ do: fc.constant("select" as const), capability, request }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("lease" as const), capability, request }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("settle" as const),
      which: fc.nat(5),
      how: fc.constantFrom(...STATUSES, "release", "headers"),
      tokens: fc.nat(120),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("observe" as const),
      name,
      status: fc.constantFrom(...STATUSES),
      requests: fc.nat(3),
      tokens: fc.nat(90),
      latencyMs: fc.nat(900),
      capability: fc.option(capability, { nil: undefined }),
      retryAfterMs: fc.option(fc.nat(8_000), { nil: undefined }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("wait" as const),
      ms: fc.oneof(
        { weight: 6, arbitrary: fc.nat(3) },
        { weight: 6, arbitrary: fc.nat(900) },
        { weight: 2, arbitrary: fc.nat(9_000) },
        { weight: 1, arbitrary: fc.constant(400_000) },
      ),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("change" as const),
      name,
      what: fc.constantFrom("pause", "unpause", "revive", "priority", "weight", "limit", "pool", "remove"),
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

// Full windows, and the same request again and again: the cache also contains instants of capacity.
const crowded: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant("select" as const), capability, request: fc.constant(undefined) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("observe" as const),
      name,
      status: fc.constant("success" as const),
      requests: fc.nat(3),
      tokens: fc.nat(90),
      latencyMs: fc.constant(10),
      capability: fc.constant(undefined),
      retryAfterMs: fc.constant(undefined),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.oneof(fc.nat(30), fc.nat(4_000)) }) },
);

class Player {
  readonly clock = new MockClock();
  readonly limiter: GrateLimiter;
  readonly #forgets: boolean;
  readonly #open: Lease[] = [];

  constructor(forgets: boolean, scoring?: GrateLimiterOptions["scoring"]) {
    this.limiter = new GrateLimiter(options(this.clock, scoring));
    this.#forgets = forgets;
  }

  play(step: Step): unknown {
    const { limiter } = this;
    if (this.#forgets) {
      for (const each of NAMES) if (limiter.providerHealth(each) !== null) limiter.updateProvider(each, {});
      limiter.upsertProvider({ name: "passing through" });
      limiter.removeProvider("passing through");
    }
    switch (step.do) {
      case "select":
        try {
          return limiter.select(step.capability, step.request);
        } catch (error) {
          if (!NoAvailableProviders.is(error)) throw error;
          return error.reasons;
        }
      case "lease": {
        const answer = limiter.tryAcquire(step.capability, step.request);
        if (!answer.granted) return answer;
        this.#open.push(answer);
        return [answer.provider, answer.decision, answer.reserved];
      }
      case "settle": {
        const lease = this.#open[step.which];
        if (lease === undefined) return null;
        if (step.how === "headers") return lease.headersReceived();
        this.#open.splice(step.which, 1);
        if (step.how === "release") return lease.release();
        return lease.settle({ status: step.how, usage: { tokens: step.tokens } });
      }
      case "observe": {
        if (limiter.providerHealth(step.name) === null) return null;
        const { status, latencyMs, retryAfterMs } = step;
        const outcome = { status, latencyMs, retryAfterMs };
        const usage = { requests: step.requests, tokens: step.tokens };
        return limiter.observe({
          ...{ provider: step.name, capability: step.capability, usage, outcome },
        });
      }
      case "wait":
        return this.clock.advanceMs(step.ms);
      case "change":
        return this.#change(step.name, step.what);
    }
  }

  #change(name: string, what: string): unknown {
    const { limiter } = this;
    if (what === "pool") return limiter.upsertPool({ name: "shared", limits: { rps: 2 } });
    if (limiter.providerHealth(name) === null) {
      const declared = options(this.clock).providers!.find((provider) => provider.name === name)!;
      return limiter.upsertProvider(declared);
    }
    if (what === "remove") return limiter.removeProvider(name);
    if (what === "revive") return limiter.reviveProvider(name);
    if (what === "limit") return limiter.updateProvider(name, { limits: { rpm: 3 } });
    if (what === "priority") return limiter.updateProvider(name, { priority: 12 });
    if (what === "weight") return limiter.updateProvider(name, { weight: 0.5 });
    return limiter.updateProvider(name, { paused: what === "pause" });
  }
}

const OWN: ScoringStrategy = {
  score: ({ capability, burnPerSecond, inFlight, quotaScore, latencyScore }) =>
    burnPerSecond - inFlight + (capability === "talk" ? latencyScore : quotaScore),
};

describe.each([
  ["the default strategy", undefined],
  ["strict order", new PriorityScorer()],
  ["a strategy of one's own", OWN],
] as readonly [string, GrateLimiterOptions["scoring"]][])("the cached ranking, with %s", (_, scoring) => {
  it.each([
    ["in every situation", step],
    ["of windows that are full", crowded],
  ])("cached answers equal fresh ones, %s", (_situation, steps) => {
    fc.assert(
      fc.property(fc.array<Step>(steps, { minLength: 5, maxLength: 80 }), (steps) => {
        const keeps = new Player(false, scoring);
        const forgets = new Player(true, scoring);
        for (const each of steps) {
          expect(JSON.stringify(keeps.play(each))).toBe(JSON.stringify(forgets.play(each)));
        }
        expect(JSON.stringify(keeps.limiter.inspect())).toBe(JSON.stringify(forgets.limiter.inspect()));
      }),
      { numRuns: propertyRuns(600) },
    );
  });
});

it("a lease reserves a tenth of a limit and `select` assumes one, although nothing changed between them", () => {
  const limiter = new GrateLimiter({
    clock: new MockClock(),
    providers: [{ name: "a", limits: { tpm: 200 } }],
    capabilities: { chat: ["a"] },
  });
  limiter.observe({ provider: "a", usage: { tokens: 190 }, outcome: { status: "success" } });
  expect(limiter.select("chat").waitMs).toBe(0);
  expect(limiter.tryAcquire("chat").granted).toBe(false);
  expect(limiter.select("chat").waitMs).toBe(0);
});

it("a cached refusal of a larger request does not outlast a quick positive answer for a smaller one", () => {
  const clock = new MockClock();
  const limiter = new GrateLimiter({
    clock,
    providers: [
      { name: "a", limits: { tpm: 100 } },
      { name: "b", limits: { tpm: 100 }, paused: true },
    ],
    capabilities: { chat: ["a", "b"] },
  });
  limiter.observe({ provider: "a", usage: { tokens: 50 }, outcome: { status: "success" } });
  limiter.select("chat", { tokens: 80 });
  expect(limiter.select("chat").waitMs).toBe(0);
  // From now on sizes of this capability are learned, so no quick answer is possible and all providers are scored
  // again.
  limiter.observe({
    provider: "b",
    capability: "chat",
    usage: { tokens: 9 },
    outcome: { status: 200, latencyMs: 100 },
  });
  expect(limiter.select("chat").waitMs).toBe(0);
});

it("the next decision sees a change that a strategy made while it was called", () => {
  let isAsking = false;
  const limiter: GrateLimiter = new GrateLimiter({
    clock: new MockClock(),
    providers: [{ name: "a", limits: { rpm: 1 } }],
    capabilities: { chat: ["a"] },
    scoring: {
      score: () => {
        if (!isAsking) {
          isAsking = true;
          // Takes the only request of the minute, which invalidates the reading of the provider.
          limiter.observe({ provider: "a", outcome: { status: "success" } });
          limiter.select("chat");
        }
        return 1;
      },
    },
  });
  limiter.select("chat");
  expect(limiter.select("chat").waitMs).toBe(60_000);
});
