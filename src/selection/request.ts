import { COST_USD } from "../config/dimension.ts";
import type { Price } from "../config/options.ts";
import { USAGE_INDEX, type Usage } from "../config/usage.ts";
import { type Amounts, completeAmounts, isCostKnown, NOT_TOLD, unknownAmounts, wholeAmount } from "../quota/amounts.ts";

/** What one request needs, as expected. An amount that is not given counts as 1, so that a token limit then holds only once it is full. */
export interface SelectOptions<P extends string = string> extends Usage {
  /** Not used yet. Caps the learned output estimate (the API's max_tokens). */
  maxOutputTokens?: number | undefined;
  /** Only these providers; undefined: all. */
  only?: readonly P[] | undefined;
  /** None of these. */
  exclude?: readonly P[] | undefined;
}

/** A request that asks for a provider: its amounts, and who may serve it. */
export class Request {
  readonly #told: Amounts;
  readonly #needs: Amounts;
  readonly #only: ReadonlySet<string> | undefined;
  readonly #exclude: ReadonlySet<string> | undefined;

  /** `options` must have passed the validator. */
  constructor(options: SelectOptions) {
    this.#told = unknownAmounts();
    for (const [field, index] of USAGE_INDEX) this.#told[index] = wholeAmount(options[field as keyof Usage]);
    this.#needs = [...this.#told];
    completeAmounts(this.#needs, null);
    this.#only = options.only && new Set(options.only);
    this.#exclude = options.exclude && new Set(options.exclude);
  }

  excludes(provider: string): boolean {
    return (this.#only !== undefined && !this.#only.has(provider)) || (this.#exclude?.has(provider) ?? false);
  }

  /** What it takes from each dimension of a provider with this price. */
  needs(price: Price | null): Amounts {
    if (price === null) return this.#needs;
    const needs = [...this.#told];
    completeAmounts(needs, price);
    return needs;
  }

  /** Micro-USD that it costs at this price; null: unknown. */
  cost(price: Price | null): number | null {
    const told = this.#told[COST_USD]!;
    if (told !== NOT_TOLD) return told;
    return price !== null && isCostKnown(this.#told, price) ? this.needs(price)[COST_USD]! : null;
  }
}

/** A request of which nothing is said. */
export const ANY_REQUEST: Request = new Request({});
