import type { Attempt, RunResult } from "../api/attempt.ts";
import type { StatusClass } from "../api/status-class.ts";
import { NoAvailableProviders } from "../errors.ts";
import { cancelBody } from "./cancel-body.ts";
import { isUnable } from "./refusal-reasons.ts";

type Ending = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: unknown };

/** First answer of a call, kept as long as all answers are unsuitable: then the call ends with it. */
export class UnsuitableAnswer {
  #first: (Ending & { readonly provider: string }) | null = null;
  #isMixed = false;

  /** Records the end of an attempt after which another one follows. Cancels a body that the caller will not get. */
  afterFailure(ending: Ending, provider: string, status: StatusClass): void {
    if (status !== "unsuitable") this.drop();
    if (this.#first === null && !this.#isMixed) this.#first = { ...ending, provider };
    else if (ending.ok) cancelBody(ending.value);
  }

  /** Forgets the answer, because another one counts. */
  drop(): void {
    this.#isMixed = true;
    if (this.#first?.ok) cancelBody(this.#first.value);
    this.#first = null;
  }

  /** Result of a call that fails with `error`: the kept answer, if no other provider could serve. Throws otherwise. */
  resultOf<T>(error: unknown, attempts: readonly Attempt[]): RunResult<T> {
    const first = this.#first;
    const isOwn = NoAvailableProviders.is(error) && error.attempts === attempts;
    const tried = new Set(attempts.map(({ provider }) => provider));
    if (first === null || !isOwn || !error.reasons.every((reason) => tried.has(reason.provider) || isUnable(reason))) {
      this.drop();
      throw error;
    }
    if (!first.ok) throw first.error;
    return { value: first.value as T, provider: first.provider, attempts };
  }
}
