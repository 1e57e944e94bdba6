// Retry policy of one call: whether another attempt follows a failed one, and on which providers.
//
//   outcome on a provider p                     counts   p in later attempts of the call
//   unauthorized, quota_exhausted, forbidden    no       never
//   unsuitable                                  no       never
//   rate_limited                                no       after its cooldown; without one, after backoff
//   never connected                             no       after backoff
//   any other failure                           yes      after backoff; if p is unproven, one retry of its budget as well
//   the same in a trial, default maxAttempts    no       the same
//   any of them with "should-retry: false"      as is    never
//
//   stop      counted attempts >= maxAttempts (default 3, or one more than the candidates if that is more), or the attempt
//             may have done work and `idempotent` is false
//   unproven  p has not succeeded with a request that was granted after the failure, and its next lease is no trial
//   order     providers that have not failed the call, at any time and for free; then the others
//   backoff   grows with each failure of the call that may have done work, after which all providers that failed it are left
//             alone; after the others, with the failures on that provider, which alone is left alone
//
// Regimes: at most 20 failed trials of a call do not count. A refusal without work is bounded by the patience of the call
// alone. If the budget is empty, the call leaves the provider alone and looks again within a second.
import type { RunDefaults } from "../api/run-options.ts";
import type { StatusClass } from "../api/status-class.ts";
import type { Verdict } from "../api/verdict.ts";
import { UNSERVED } from "../observation/status-code.ts";
import type { RetryBudget } from "../provider/retry-budget.ts";
import { backoffMs } from "./backoff.ts";

const MAX_UNCOUNTED = 20;
const LEAST_ATTEMPTS = 3;
// The next lease of such a provider is the trial, or comes after a success.
const RECOVERING: readonly string[] = ["cooldown", "trial"];

type RetryTerms = Pick<RunDefaults, "maxAttempts" | "idempotent">;

/** Terms of the retries of a call. */
export function retryTerms(options: RetryTerms, defaults: RetryTerms): RetryTerms {
  const { maxAttempts = defaults.maxAttempts, idempotent = defaults.idempotent } = options;
  return { maxAttempts, idempotent };
}

/** A provider as far as retries depend on it. */
export interface RetryTarget {
  readonly retryBudget: RetryBudget;
  /** Grant of the latest request that succeeded. */
  readonly provenAt: number;
  state(now: number, minimumHealth: number): string;
}

/** The registered providers by name. */
type Targets = Pick<ReadonlyMap<string, RetryTarget>, "get">;

/** A failed attempt. */
export interface FailedAttempt {
  readonly provider: string;
  readonly outcome: Pick<Verdict, "status" | "neverConnected"> & Partial<Pick<Verdict, "isRepeatable">>;
  /** True if the attempt was the trial after a cooldown. */
  readonly isTrial: boolean;
  /** True if the provider is in a cooldown now. */
  readonly isCoolingDown: boolean;
  /** Number of providers that the call can use. */
  readonly candidates: number;
}

/** Providers that the next attempt can use, as of now. */
export interface RetryPlan {
  /** Providers that are left alone. */
  readonly without: readonly string[];
  /** Instant at which another provider can be used. Infinity: never. */
  readonly until: number;
  /** True if one of them has no budget. */
  readonly isShort: boolean;
  /** Budgets of which the plan holds a retry. */
  readonly held: readonly RetryBudget[];
}

interface Failure {
  count: number;
  /** Instant of the last failure, which may have done work; NaN: it certainly did none. */
  workedAt: number;
  readyAt: number;
  isShort: boolean;
}

const NEVER_AGAIN: readonly StatusClass[] = UNSERVED.filter((status) => status !== "rate_limited");
/** The plan of a first attempt. */
export const ANY_PROVIDER: RetryPlan = { without: [], until: Infinity, isShort: false, held: [] };

/** True if no success shows that the provider works again since a failure that may have done work. */
function isUnproven(failure: Failure | undefined, target: RetryTarget | undefined): target is RetryTarget {
  return failure !== undefined && target !== undefined && failure.workedAt >= target.provenAt;
}

/** Rules for the retries of one call. It has no clock: callers pass the instant (ms) to every method. */
export class RetryPolicy {
  readonly #maxAttempts: number | undefined;
  readonly #isIdempotent: boolean;
  readonly #random: () => number;
  readonly #failures = new Map<string, Failure>();
  #counted = 0;
  #uncounted = 0;

  /** `random`: uniform in [0, 1). */
  constructor({ maxAttempts, idempotent = true }: RetryTerms, random: () => number) {
    this.#maxAttempts = maxAttempts;
    this.#isIdempotent = idempotent;
    this.#random = random;
  }

  /** Providers that have failed the call. */
  get failed(): ReadonlySet<string> {
    return new Set(this.#failures.keys());
  }

  /** Records a failed attempt. True: another one may follow. */
  afterFailure({ provider, outcome, isTrial, isCoolingDown, candidates }: FailedAttempt, now: number): boolean {
    const { status, neverConnected } = outcome;
    const didWork = !neverConnected && !UNSERVED.includes(status);
    const max = this.#maxAttempts ?? Math.max(LEAST_ATTEMPTS, candidates + 1);
    const isSpared = isTrial && this.#maxAttempts === undefined && this.#uncounted < MAX_UNCOUNTED;
    if (didWork && isSpared) this.#uncounted++;
    else if (didWork) this.#counted++;
    const count = this.#failures.get(provider)?.count ?? 0;
    const until = now + backoffMs(didWork ? this.#counted + this.#uncounted - 1 : count, this.#random);
    const isFinal = NEVER_AGAIN.includes(status) || outcome.isRepeatable === false;
    let readyAt = isFinal ? Infinity : until;
    // The wait queue waits for the end of the cooldown.
    if (status === "rate_limited" && isCoolingDown && !isFinal) readyAt = now;
    this.#failures.set(provider, { count: count + 1, workedAt: didWork ? now : NaN, readyAt, isShort: false });
    if (didWork) for (const failure of this.#failures.values()) failure.readyAt = Math.max(failure.readyAt, until);
    return this.#counted < max && (!didWork || this.#isIdempotent);
  }

  /**
   * Decides which providers the next attempt can use, and holds the budget that it might need. `settle` must follow. `end`:
   * instant at which the patience of the call ends.
   */
  plan(targets: Targets, end: number, now: number): RetryPlan {
    const without: string[] = [];
    const held: RetryBudget[] = [];
    let until = Infinity;
    let isShort = false;
    for (const [provider, failure] of this.#failures) {
      if (failure.readyAt <= now) {
        const target = targets.get(provider);
        const needsBudget = isUnproven(failure, target) && !RECOVERING.includes(target.state(now, 0));
        failure.isShort = needsBudget && !target.retryBudget.hold(now);
        if (needsBudget && !failure.isShort) held.push(target.retryBudget);
        if (!failure.isShort) continue;
        failure.readyAt = Math.min(end, this.#nextLook(now));
      }
      without.push(provider);
      until = Math.min(until, failure.readyAt);
      isShort ||= failure.isShort;
    }
    return { without, until, isShort, held };
  }

  /** Returns the budget that the plan holds, and draws on it if need be. True: the attempt can use its lease (null: none). */
  settle(
    { held }: RetryPlan,
    lease: { readonly provider: string; readonly isTrial: boolean } | null,
    targets: Targets,
    now: number,
  ): boolean {
    for (const budget of held) budget.settle(false, now);
    if (lease === null) return false;
    const failure = this.#failures.get(lease.provider);
    const target = targets.get(lease.provider);
    if (lease.isTrial || !isUnproven(failure, target)) target?.retryBudget.countRequest(now);
    else if (target.retryBudget.hold(now)) target.retryBudget.settle(true, now);
    else {
      failure!.readyAt = this.#nextLook(now);
      failure!.isShort = true;
      return false;
    }
    return true;
  }

  /** Instants differ from call to call, so that not all of them return together. */
  #nextLook(now: number): number {
    return now + backoffMs(1, this.#random);
  }
}
