// How large the requests of one capability are on one provider, from those that have told their amounts.
//
//   mean += (amount - mean) / min(n, 300)        tokens in all, and output tokens
//   variance += (error^2 - variance) / min(n - 1, 299)  error = tokens - what was expected of that request
//
// Regimes: nothing known: a request is taken for a tenth of the limit, or for its input and `maxOutputTokens` where these
// are told, so that few can be wrong at once. A request that ended without telling its amounts: from then on each counts 1,
// for this caller does not tell. One sample: the deviation is taken for the size itself.
// Source: outputs are log-normal with a coefficient of variation near 1, so the mean of many with a guard on their sum
// wastes 1 to 4 % of a window, where a 90th percentile for each request wastes 16 %.

import { INPUT_TOKENS, OUTPUT_TOKENS, TOKENS } from "../quota/dimension-index.ts";
import { safetyMargin } from "../quota/safety-margin.ts";
import { UNSPECIFIED, type UsageVector } from "../quota/usage-vector.ts";

const LONGEST_MEMORY = 300;
const FIRST_SHARE = 10;

/** What the sizes of one capability have in common. */
export interface Learning {
  /** Whether any of them is known. */
  isAnyKnown: boolean;
}

/** Constant memory. */
export class SizeEstimate {
  /** True once a request has reported its tokens. */
  isKnown = false;
  readonly #learning: Learning;
  #samples = 0;
  #tokens = 0;
  #outputSamples = 0;
  #output = 0;
  #variance = 0;
  #isUntold = false;

  constructor(learning: Learning) {
    this.#learning = learning;
  }

  /** Of the error of one expectation, in tokens squared. */
  get variance(): number {
    return this.#variance;
  }

  /** A request succeeded: `told` is what it told, `expected` the tokens it was taken for (NOT_TOLD: it was not). */
  learn(told: UsageVector, expected: number): void {
    const input = told[INPUT_TOKENS]!;
    const isSplit = input !== UNSPECIFIED && told[OUTPUT_TOKENS] !== UNSPECIFIED;
    const tokens = told[TOKENS] === UNSPECIFIED && isSplit ? input + told[OUTPUT_TOKENS]! : told[TOKENS]!;
    if (tokens === UNSPECIFIED) {
      this.#isUntold = true;
      return;
    }
    this.isKnown = true;
    this.#learning.isAnyKnown = true;
    const samples = Math.min(++this.#samples, LONGEST_MEMORY);
    const error = tokens - (expected === UNSPECIFIED || samples === 1 ? this.#tokens : expected);
    // The first one's error is its size, and counts only until there is a second.
    this.#variance += (error * error - this.#variance) / Math.max(1, samples - 1);
    this.#tokens += (tokens - this.#tokens) / samples;
    const output = told[OUTPUT_TOKENS] === UNSPECIFIED && input !== UNSPECIFIED ? tokens - input : told[OUTPUT_TOKENS]!;
    if (output < 0) return;
    this.#output += (output - this.#output) / Math.min(++this.#outputSamples, LONGEST_MEMORY);
  }

  /** Fills in what is to be expected where nothing was told of the tokens; true if it was learned. */
  fillIn(amounts: UsageVector, maxOutputTokens: number | undefined): boolean {
    const input = amounts[INPUT_TOKENS]!;
    const output = amounts[OUTPUT_TOKENS]!;
    if (amounts[TOKENS] !== UNSPECIFIED || (input !== UNSPECIFIED && output !== UNSPECIFIED)) return false;
    const { isKnown } = this;
    if (!isKnown) {
      if (maxOutputTokens === undefined || output !== UNSPECIFIED) return false;
      amounts[input === UNSPECIFIED ? TOKENS : OUTPUT_TOKENS] = Math.ceil(maxOutputTokens);
    } else if (this.#outputSamples === 0) {
      amounts[TOKENS] = Math.ceil(Math.max(this.#tokens, input, output));
    } else {
      const most = Math.min(this.#output, maxOutputTokens ?? Infinity);
      if (input === UNSPECIFIED) amounts[INPUT_TOKENS] = Math.ceil(Math.max(0, this.#tokens - this.#output));
      if (output === UNSPECIFIED) amounts[OUTPUT_TOKENS] = Math.ceil(most);
    }
    return isKnown;
  }

  /**
   * Upper bound of every amount of tokens that `fillIn` would give, with the safety margin of the estimate beside others of
   * variance `openVariance`; `input` and `output` can be UNSPECIFIED. Something must be known.
   */
  upperBound(input: number, output: number, maxOutputTokens: number, openVariance: number): number {
    let bound = Math.max(this.#tokens, input, output);
    if (this.#outputSamples > 0) {
      const ownInput = input === UNSPECIFIED ? Math.max(0, this.#tokens - this.#output) : input;
      bound = ownInput + (output === UNSPECIFIED ? Math.min(this.#output, maxOutputTokens) : output);
    }
    // Input, output and margin are each rounded up.
    return bound + 3 + safetyMargin(this.#variance, openVariance + this.#variance);
  }

  /** What a lease takes of a quota of `limit` for an amount of which nothing is known. */
  unknownOf(limit: number): number {
    return this.#isUntold ? 1 : Math.max(1, Math.floor(limit / FIRST_SHARE));
  }
}
