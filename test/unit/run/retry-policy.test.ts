// Rules for the retries of one call, as a table: what follows a failed attempt.
import { describe, expect, it } from "vitest";
import type { StatusClass } from "../../../src/index.ts";
import { RetryBudget } from "../../../src/run/retry-budget.ts";
import { type FailedAttempt, type RetryCandidates, RetryPolicy } from "../../../src/run/retry-policy.ts";

const NOW = 1_000_000;
const SPENT = { ratio: 0, perMinute: 0 };

interface Case {
  readonly options?: ConstructorParameters<typeof RetryPolicy>[0];
  readonly budget?: ConstructorParameters<typeof RetryBudget>[0];
  readonly attempts?: number;
  readonly status?: StatusClass;
  readonly neverConnected?: boolean;
  readonly candidates?: RetryCandidates;
}

function failure({ attempts = 1, status = "server_error", neverConnected = false, candidates }: Case): FailedAttempt {
  const outcome = { status, neverConnected };
  const known = candidates ?? { count: 3, hasUnfailed: true };
  return { attempts, outcome, candidates: known, now: NOW, random: () => 0.5 };
}

function decide(one: Case) {
  const { options = {}, budget } = one;
  return new RetryPolicy(options, new RetryBudget(budget)).afterFailure(failure(one));
}

const FREE = { kind: "retry", isFree: true };
const PAID = { kind: "retry", isFree: false };
const FAILED = { kind: "stop", reason: "attempts_failed" };
const NO_BUDGET = { kind: "stop", reason: "retry_budget" };
const NONE_LEFT = { count: 3, hasUnfailed: false };

const TABLE: readonly [statement: string, one: Case, decision: object][] = [
  ["a failure that may have done work is retried and paid for", {}, PAID],
  ["a time-out is retried and paid for", { status: "timeout" }, PAID],
  ["an overloaded provider is retried and paid for", { status: "overloaded" }, PAID],
  ["a 429 is free if another provider is left", { status: "rate_limited" }, FREE],
  ["a 402 is free if another provider is left", { status: "quota_exhausted" }, FREE],
  ["a 401 is free if another provider is left", { status: "unauthorized" }, FREE],
  ["a 403 is free if another provider is left", { status: "forbidden" }, FREE],
  ["a request that never connected is free if another provider is left", { neverConnected: true }, FREE],
  ["a 429 is paid for if every provider has failed", { status: "rate_limited", candidates: NONE_LEFT }, PAID],
  ["a free retry needs no budget", { status: "rate_limited", budget: SPENT }, FREE],
  ["a paid retry needs budget", { budget: SPENT }, NO_BUDGET],
  [
    "a 429 needs budget if every provider has failed",
    { status: "rate_limited", candidates: NONE_LEFT, budget: SPENT },
    NO_BUDGET,
  ],
  ["by default there are as many attempts as candidates", { attempts: 2 }, PAID],
  ["by default the attempts end with the candidates", { attempts: 3 }, FAILED],
  ["by default there are two attempts for one candidate", { candidates: { count: 1, hasUnfailed: false } }, PAID],
  [
    "by default the second attempt for one candidate is the last",
    { attempts: 2, candidates: { count: 1, hasUnfailed: false } },
    FAILED,
  ],
  ["maxAttempts above the number of candidates holds", { attempts: 7, options: { maxAttempts: 8 } }, PAID],
  ["maxAttempts below the number of candidates holds", { attempts: 2, options: { maxAttempts: 2 } }, FAILED],
  ["maxAttempts: 1 ends a free retry, too", { status: "rate_limited", options: { maxAttempts: 1 } }, FAILED],
  ["idempotent: false ends after possible work", { options: { idempotent: false } }, FAILED],
  ["idempotent: false goes on after a 429", { status: "rate_limited", options: { idempotent: false } }, FREE],
  ["idempotent: false goes on without a connection", { neverConnected: true, options: { idempotent: false } }, FREE],
  ["undefined options are the defaults", { options: { maxAttempts: undefined, idempotent: undefined } }, PAID],
];

describe("after a failed attempt", () => {
  it.each(TABLE)("after a failed attempt: %s", (_, one, decision) => {
    expect(decide(one)).toMatchObject(decision);
  });

  it.each([
    [1, 250],
    [2, 500],
    [3, 1_000],
    [6, 4_000],
  ])("attempt %i keeps the call away from failed providers for %i ms with random = 0.5", (attempts, ms) => {
    expect(decide({ attempts, options: { maxAttempts: 9 } })).toMatchObject({ leaveAloneUntil: NOW + ms });
  });

  it("the same input gives the same retry decision", () => {
    for (const [, one] of TABLE) expect(decide(one)).toEqual(decide(one));
  });

  it("a retry decision that needs no candidate reads no property of the candidates", () => {
    const unread: RetryCandidates = {
      get count(): number {
        return expect.unreachable("count was read");
      },
      get hasUnfailed(): boolean {
        return expect.unreachable("hasUnfailed was read");
      },
    };
    expect(decide({ options: { maxAttempts: 2 }, candidates: unread })).toMatchObject(PAID);
  });
});

describe("the retry budget of the policy", () => {
  it("a paid retry is counted, and a free one is not", () => {
    const budget = new RetryBudget({ ratio: 0, perMinute: 2 });
    const policy = new RetryPolicy({ maxAttempts: 99 }, budget);
    const free = failure({ status: "rate_limited" });
    const paid = failure({});
    const kinds = [free, paid, free, paid, free, paid].map((one) => policy.afterFailure(one).kind);
    expect(kinds).toEqual(["retry", "retry", "retry", "retry", "retry", "stop"]);
  });

  it("the retry budget is shared by all calls of a limiter", () => {
    const budget = new RetryBudget({ ratio: 0, perMinute: 1 });
    expect(new RetryPolicy({}, budget).afterFailure(failure({}))).toMatchObject(PAID);
    expect(new RetryPolicy({}, budget).afterFailure(failure({}))).toEqual(NO_BUDGET);
  });
});

describe("the lease of a retry", () => {
  it.each([
    [false, false, true],
    [false, true, true],
    [true, false, true],
    [true, true, false],
  ])(
    "a lease with isFree %s and a provider that failed before %s is accepted without budget: %s",
    (isFree, hasFailed, accepted) => {
      expect(new RetryPolicy({}, new RetryBudget(SPENT)).acceptsLease(isFree, hasFailed, NOW)).toBe(accepted);
    },
  );

  it("the lease of a free retry is paid for if its provider has failed before", () => {
    const policy = new RetryPolicy({}, new RetryBudget({ ratio: 0, perMinute: 1 }));
    expect([1, 2].map(() => policy.acceptsLease(true, true, NOW))).toEqual([true, false]);
    expect(policy.acceptsLease(true, false, NOW)).toBe(true);
  });
});
