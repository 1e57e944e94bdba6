// Rules for the retries of one call, as tables: what follows a failed attempt, and which providers the next one can use.
import { describe, expect, it } from "vitest";
import type { StatusClass } from "../../../src/index.ts";
import { RetryBudget } from "../../../src/provider/retry-budget.ts";
import { type FailedAttempt, RetryPolicy, type RetryTarget } from "../../../src/run/retry-policy.ts";

const NOW = 1_000_000;
/** Backoff with random = 0.5. */
const FIRST_MS = 375;
const EMPTY = { ratio: 0, perMinute: 0 };

type Options = ConstructorParameters<typeof RetryPolicy>[0];

interface Failure {
  readonly provider?: string;
  readonly status?: StatusClass;
  readonly neverConnected?: boolean;
  readonly isTrial?: boolean;
  readonly isCoolingDown?: boolean;
  readonly candidates?: number;
}

function failed(failure: Failure = {}): FailedAttempt {
  const { provider = "a", status = "server_error", neverConnected = false, candidates = 1 } = failure;
  const { isTrial = false, isCoolingDown = false } = failure;
  return { provider, outcome: { status, neverConnected }, isTrial, isCoolingDown, candidates };
}

const policyOf = (options: Options = {}) => new RetryPolicy(options, () => 0.5);

/** How many such failures in a row end the call; Infinity: none of 100 does. */
function attemptsOf(options: Options, failure: Failure): number {
  const policy = policyOf(options);
  for (let made = 1; made <= 100; made++) if (!policy.afterFailure(failed(failure), NOW)) return made;
  return Number.POSITIVE_INFINITY;
}

/** Providers that are all in the same state. */
function targets({ budget = new RetryBudget(), provenAt = Number.NEGATIVE_INFINITY, state = "available" } = {}) {
  return { get: (): RetryTarget | undefined => ({ retryBudget: budget, provenAt, state: () => state }) };
}

const INFINITE = Number.POSITIVE_INFINITY;

describe("how many attempts a call makes", () => {
  it.each<[statement: string, options: Options, failure: Failure, attempts: number]>([
    ["by default there are three", {}, {}, 3],
    ["by default there are three for two candidates", {}, { candidates: 2 }, 3],
    ["by default there is one more than the candidates", {}, { candidates: 5 }, 6],
    ["a time-out counts", {}, { status: "timeout" }, 3],
    ["an overloaded provider counts", {}, { status: "overloaded" }, 3],
    ["a 429 does not count", {}, { status: "rate_limited" }, INFINITE],
    ["a 401 does not count", {}, { status: "unauthorized" }, INFINITE],
    ["a 402 does not count", {}, { status: "quota_exhausted" }, INFINITE],
    ["a 403 does not count", {}, { status: "forbidden" }, INFINITE],
    ["a request that never connected does not count", {}, { neverConnected: true }, INFINITE],
    ["20 failed trials do not count", {}, { isTrial: true }, 23],
    ["maxAttempts counts failed trials, too", { maxAttempts: 5 }, { isTrial: true }, 5],
    ["maxAttempts counts no 429", { maxAttempts: 1 }, { status: "rate_limited" }, INFINITE],
    ["maxAttempts above the default holds", { maxAttempts: 8 }, {}, 8],
    ["maxAttempts below the default holds", { maxAttempts: 1 }, { candidates: 5 }, 1],
    ["maxAttempts: Infinity ends no call", { maxAttempts: INFINITE }, {}, INFINITE],
    ["idempotent: false ends after possible work", { idempotent: false }, {}, 1],
    ["idempotent: false ends after a failed trial", { idempotent: false }, { isTrial: true }, 1],
    ["idempotent: false goes on after a 429", { idempotent: false }, { status: "rate_limited" }, INFINITE],
    ["idempotent: false goes on without a connection", { idempotent: false }, { neverConnected: true }, INFINITE],
    ["undefined options are the defaults", { maxAttempts: undefined, idempotent: undefined }, {}, 3],
  ])("%s", (_, options, failure, attempts) => {
    expect(attemptsOf(options, failure)).toBe(attempts);
  });
});

describe("when the same provider can be used again", () => {
  it.each<[statement: string, failure: Failure, readyInMs: number]>([
    ["after backoff", {}, FIRST_MS],
    ["after backoff if the request never connected", { neverConnected: true }, FIRST_MS],
    ["after backoff if a 429 started no cooldown", { status: "rate_limited" }, FIRST_MS],
    [
      "immediately if a 429 started a cooldown, which the queue waits for",
      { status: "rate_limited", isCoolingDown: true },
      0,
    ],
    ["after backoff if a 503 started a cooldown", { status: "overloaded", isCoolingDown: true }, FIRST_MS],
    ["never after a 401", { status: "unauthorized" }, INFINITE],
    ["never after a 402", { status: "quota_exhausted" }, INFINITE],
    ["never after a 403", { status: "forbidden" }, INFINITE],
  ])("%s", (_, failure, readyInMs) => {
    const policy = policyOf();
    policy.afterFailure(failed(failure), NOW);
    const plan = policy.plan(targets(), INFINITE, NOW);
    expect(plan.without).toEqual(readyInMs === 0 ? [] : ["a"]);
    expect(plan.until).toBe(readyInMs === 0 ? INFINITE : NOW + readyInMs);
    if (readyInMs < INFINITE) expect(policy.plan(targets(), INFINITE, NOW + readyInMs).without).toEqual([]);
  });

  it("backoff grows with each failure of the call, and is one for all providers that failed", () => {
    const policy = policyOf({ maxAttempts: 99 });
    const delays = ["a", "b", "a", "b", "a", "b"].map((provider) => {
      policy.afterFailure(failed({ provider }), NOW);
      const { until, without } = policy.plan(targets(), INFINITE, NOW);
      expect(without).toEqual([...policy.failed]);
      return until - NOW;
    });
    expect(delays).toEqual([375, 750, 1_500, 3_000, 6_000, 6_000]);
  });

  it("backoff after refusals grows with the failures on that provider, and is that of the provider alone", () => {
    const policy = policyOf();
    const delays = ["a", "a", "b", "a", "b"].map((provider) => {
      policy.afterFailure(failed({ provider, status: "rate_limited" }), NOW);
      return policy.plan(targets(), INFINITE, NOW).until - NOW;
    });
    // The earliest of both providers.
    expect(delays).toEqual([375, 750, 375, 375, 750]);
  });

  it("a refusal makes no later backoff longer", () => {
    const policy = policyOf();
    policy.afterFailure(failed({ provider: "a", status: "rate_limited", isCoolingDown: true }), NOW);
    policy.afterFailure(failed({ provider: "b" }), NOW);
    expect(policy.plan(targets(), INFINITE, NOW)).toMatchObject({ without: ["a", "b"], until: NOW + FIRST_MS });
  });

  it("a provider that has not failed the call is never left alone", () => {
    const policy = policyOf();
    policy.afterFailure(failed({ provider: "a" }), NOW);
    policy.afterFailure(failed({ provider: "b", status: "forbidden" }), NOW);
    expect(policy.plan(targets(), INFINITE, NOW)).toMatchObject({ without: ["a", "b"], until: NOW + FIRST_MS });
    expect([...policy.failed]).toEqual(["a", "b"]);
  });
});

const LATER = NOW + FIRST_MS;
const ON_A = { provider: "a", isTrial: false };

/** The plan of the first retry, and what becomes of a lease on the same provider. */
function retryOn(given: ReturnType<typeof targets>, failure: Failure = {}, lease = ON_A) {
  const policy = policyOf();
  policy.afterFailure(failed(failure), NOW);
  const plan = policy.plan(given, INFINITE, LATER);
  return { plan, isAccepted: policy.settle(plan, lease, given, LATER) };
}

describe("the budget of a retry on the same provider", () => {
  const needs = (given: Parameters<typeof targets>[0], failure?: Failure) => {
    const budget = new RetryBudget({ ratio: 0, perMinute: 1 });
    retryOn(targets({ ...given, budget }), failure);
    return !budget.hold(LATER);
  };

  it.each<[statement: string, given: Parameters<typeof targets>[0], failure: Failure, isPaid: boolean]>([
    ["a failure that may have done work is paid for", {}, {}, true],
    ["a time-out is paid for", {}, { status: "timeout" }, true],
    ["a 429 is free", {}, { status: "rate_limited" }, false],
    ["a request that never connected is free", {}, { neverConnected: true }, false],
    ["a success of a request granted after the failure makes it free", { provenAt: NOW + 1 }, {}, false],
    ["a success of a request granted with the failure does not", { provenAt: NOW }, {}, true],
    ["a success of a request granted before the failure does not", { provenAt: NOW - 1 }, {}, true],
    ["after a cooldown it is paid for if it is not the trial", { state: "trial" }, {}, true],
  ])("%s", (_, given, failure, isPaid) => {
    expect(needs(given, failure)).toBe(isPaid);
  });

  it("a trial is free", () => {
    const budget = new RetryBudget({ ratio: 0, perMinute: 1 });
    const { plan, isAccepted } = retryOn(targets({ budget, state: "trial" }), {}, { ...ON_A, isTrial: true });
    expect([plan.without, isAccepted, budget.hold(LATER)]).toEqual([[], true, true]);
  });

  it("a plan returns the budget that it holds if there is no lease, or one on another provider", () => {
    for (const lease of [null, { provider: "b", isTrial: false }]) {
      const budget = new RetryBudget({ ratio: 0, perMinute: 1 });
      const policy = policyOf();
      policy.afterFailure(failed(), NOW);
      const plan = policy.plan(targets({ budget }), INFINITE, LATER);
      expect([plan.held.length, budget.hold(LATER)]).toEqual([1, false]);
      expect(policy.settle(plan, lease, targets({ budget }), LATER)).toBe(lease !== null);
      expect(budget.hold(LATER)).toBe(true);
    }
  });

  it("without budget the call leaves the provider alone and looks again within a second", () => {
    const { plan } = retryOn(targets({ budget: new RetryBudget(EMPTY) }));
    expect(plan).toMatchObject({ without: ["a"], until: LATER + 750, isShort: true });
  });

  it("without budget the last look is when the patience of the call ends", () => {
    const policy = policyOf();
    policy.afterFailure(failed(), NOW);
    const given = targets({ budget: new RetryBudget(EMPTY) });
    expect(policy.plan(given, LATER + 10, LATER)).toMatchObject({ until: LATER + 10, isShort: true });
    expect(policy.plan(given, LATER + 10, LATER + 10)).toMatchObject({ without: ["a"], until: LATER + 10 });
    expect(policy.plan(targets({ provenAt: LATER }), LATER + 10, LATER + 10)).toMatchObject({ without: [] });
  });

  it("a recovering provider needs no budget in advance, but a lease that is no trial does", () => {
    for (const state of ["cooldown", "trial"]) {
      const { plan, isAccepted } = retryOn(targets({ budget: new RetryBudget(EMPTY), state }));
      expect([plan.without, isAccepted]).toEqual([[], false]);
    }
  });

  it("false and Infinity never end", () => {
    for (const options of [false, { perMinute: INFINITE }, { ratio: INFINITE, perMinute: INFINITE }] as const) {
      const budget = new RetryBudget(options);
      for (let i = 0; i < 1_000; i++) expect(retryOn(targets({ budget })).isAccepted).toBe(true);
    }
  });

  it("a provider that is not registered any more needs none", () => {
    const { plan, isAccepted } = retryOn({ get: () => undefined });
    expect([plan.without, isAccepted]).toEqual([[], true]);
  });
});
