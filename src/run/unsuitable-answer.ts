import type { Attempt, RunResult } from "../api/attempt.ts";
import type { StatusClass } from "../api/status-class.ts";
import { NoAvailableProviders } from "../errors.ts";
import { cancelBody } from "./cancel-body.ts";
import { isUnable } from "./refusal-reasons.ts";

type Ending = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: unknown };

/** First answer of a call, kept as long as all answers are unsuitable: then the call ends with it. */
export class UnsuitableAnswer {
  #first: { readonly ending: Ending; readonly provider: string } | null = null;
  #isMixed = false;

  /** Records a failed attempt. */
  afterFailure(ending: Ending, provider: string, status: StatusClass): void {
    if (status !== "unsuitable") this.drop();
    else if (this.#first === null && !this.#isMixed) this.#first = { ending, provider };
  }

  /** Cancels the body of a failed attempt after which another one follows, unless the caller might get it. */
  cancel(ending: Ending): void {
    if (ending.ok && this.#first?.ending !== ending) cancelBody(ending.value);
  }

  /** Forgets the answer, because another one counts. */
  drop(): void {
    this.#isMixed = true;
    const ending = this.#first?.ending;
    if (ending?.ok) cancelBody(ending.value);
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
    const { ending, provider } = first;
    if (!ending.ok) throw ending.error;
    return { value: ending.value as T, provider, attempts };
  }
}
