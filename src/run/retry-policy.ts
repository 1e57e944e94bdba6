// Retry policy of one call: whether, and on what terms, another attempt follows a failed one.
//
//   stop "attempts_failed"   attempts >= maxAttempts, or the failed attempt may have done work and idempotent is false
//   stop "retry_budget"      the retry is not free and the budget is spent
//   retry                    otherwise; providers that failed are left alone until now + backoff(attempts - 1)
//
//   attempts: made so far, the failed one included. maxAttempts: default max(2, candidates).
//   free: the failed attempt did no work, and a provider that has not failed this call might take the request. Such a
//   retry adds no load to a provider that is in trouble.
//
// Regimes: a free retry that is granted a provider that has failed before draws on the budget at its grant after all.
import type { RunDefaults } from "../api/run-options.ts";
import type { Verdict } from "../api/verdict.ts";
import { UNSERVED } from "../observation/status-code.ts";
import { backoffMs } from "./backoff.ts";
import type { RetryBudget } from "./retry-budget.ts";

/** Providers to which a call can still go. Read only if they matter, because each property can be expensive. */
export interface RetryCandidates {
  /** Number of providers that the call may use. */
  readonly count: number;
  /** True if one that has not failed this call might take the request. */
  readonly hasUnfailed: boolean;
}

/** The failure after which a retry is considered. */
export interface FailedAttempt {
  /** Attempts made so far, this one included. */
  readonly attempts: number;
  readonly outcome: Pick<Verdict, "status" | "neverConnected">;
  readonly candidates: RetryCandidates;
  readonly now: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** Terms of a retry, or the reason for stopping. */
export type RetryDecision =
  | { readonly kind: "stop"; readonly reason: "attempts_failed" | "retry_budget" }
  /** `leaveAloneUntil`: instant until which providers that failed this call get no request of it. */
  | { readonly kind: "retry"; readonly isFree: boolean; readonly leaveAloneUntil: number };

/** Rules for the retries of one call. */
export class RetryPolicy {
  readonly #maxAttempts: number | undefined;
  readonly #isIdempotent: boolean;
  readonly #budget: RetryBudget;

  /** `budget` is shared by all calls of a limiter. */
  constructor(
    { maxAttempts, idempotent = true }: Pick<RunDefaults, "maxAttempts" | "idempotent">,
    budget: RetryBudget,
  ) {
    this.#maxAttempts = maxAttempts;
    this.#isIdempotent = idempotent;
    this.#budget = budget;
  }

  /** Decides what follows a failed attempt. A retry that is not free is counted in the budget. */
  afterFailure({ attempts, outcome, candidates, now, random }: FailedAttempt): RetryDecision {
    const didNoWork = outcome.neverConnected || UNSERVED.includes(outcome.status);
    const isLast = attempts >= (this.#maxAttempts ?? Math.max(2, candidates.count));
    if (isLast || !(didNoWork || this.#isIdempotent)) return { kind: "stop", reason: "attempts_failed" };
    const isFree = didNoWork && candidates.hasUnfailed;
    if (!isFree && !this.#budget.takeRetry(now)) return { kind: "stop", reason: "retry_budget" };
    return { kind: "retry", isFree, leaveAloneUntil: now + backoffMs(attempts - 1, random) };
  }

  /** True if a retry can use its lease. Counts a free retry in the budget if the provider has failed the call before. */
  acceptsLease(isFree: boolean, hasFailedBefore: boolean, now: number): boolean {
    return !isFree || !hasFailedBefore || this.#budget.takeRetry(now);
  }
}
