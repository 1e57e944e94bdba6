// Size of the requests of one capability on one provider, learned from the requests that reported their usage.
//
//   tokens, output   means of all tokens and of the output tokens (robust-mean.ts) of bounded samples: no amount above a
//                    limit of its dimension, no output above the stated `maxOutputTokens`
//   variance += (error^2 - variance) / (n - 1)    error = tokens - estimate for that request, bounded as in robust-mean.ts
//
// Regimes: (1) Nothing is known: the estimate is a tenth of the limit of a minute, or the input and `maxOutputTokens` if these
// are specified, so that only few wrong estimates can be in flight simultaneously. (2) A request ended without reported usage:
// from then on the estimate is 1, because this caller does not report. (3) One sample: the size itself is the deviation.
// Source: outputs are log-normal with a coefficient of variation near 1. The mean of many with a margin on their sum wastes
// 1 to 4 % of a window, whereas a 90th percentile for each request wastes 16 %.

import type { SizeSnapshot } from "../api/snapshot.ts";
import { INPUT_TOKENS, OUTPUT_TOKENS, TOKENS } from "../quota/dimension-index.ts";
import type { Quota } from "../quota/quota.ts";
import { safetyMargin } from "../quota/safety-margin.ts";
import { UNSPECIFIED, type UsageVector } from "../quota/usage-vector.ts";
import { mostAbove, RobustMean } from "./robust-mean.ts";

/** The limit divided by this is the estimate while nothing is known. */
const UNKNOWN_DIVISOR = 10;
const MINUTE_MS = 60_000;
/** Bounds the memory. */
const MOST_GUESSES = 64;

/** State that all size estimates of one capability share. */
export interface Learning {
  /** True if any of the estimates is known. */
  isAnyKnown: boolean;
}

/** The parts of a request's size that the caller stated. */
export interface StatedSize {
  /** UNSPECIFIED: not stated, or the whole size is. */
  readonly input: number;
  /** Likewise. */
  readonly output: number;
  /** Infinity: not stated. */
  readonly maxOutputTokens: number;
}

/** A request of which nothing is stated. */
export const NOTHING_STATED: StatedSize = { input: UNSPECIFIED, output: UNSPECIFIED, maxOutputTokens: Infinity };

/** An ended request with unknown usage. */
export interface Guess {
  /** Counts the request again, with the size that is known by now. */
  recount(now: number): void;
}

/** Size estimate with constant memory. */
export class SizeEstimate {
  /** True once a request has reported its tokens. */
  isKnown = false;
  readonly #learning: Learning;
  readonly #tokens = new RobustMean();
  readonly #output = new RobustMean();
  #variance = 0;
  #hasUnreported = false;
  #guesses: Guess[] = [];

  constructor(learning: Learning) {
    this.#learning = learning;
  }

  /** Learned sizes of a snapshot. Requests that ended with unknown usage remain counted as they are. */
  save(now: number): SizeSnapshot {
    const [tokens, output] = [this.#tokens.save(now), this.#output.save(now)];
    return { tokens, output, variance: this.#variance, hasUnreported: this.#hasUnreported };
  }

  restore(saved: SizeSnapshot, savedAt: number): void {
    this.#tokens.restore(saved.tokens, savedAt);
    this.#output.restore(saved.output, savedAt);
    this.#variance = saved.variance;
    this.#hasUnreported = saved.hasUnreported;
    this.isKnown = this.#tokens.samples > 0;
    if (this.isKnown) this.#learning.isAnyKnown = true;
  }

  /** Variance of the error of one estimate, in tokens squared. */
  get variance(): number {
    return this.#variance;
  }

  /** Learns from a request that succeeded. `quotas`: those of its provider. */
  learn(reported: UsageVector, stated: StatedSize, quotas: readonly Quota[], now: number): void {
    const [tokens, output] = boundedSizes(reported, stated.maxOutputTokens, quotas);
    if (tokens === UNSPECIFIED) {
      this.#hasUnreported = true;
      this.#guesses = [];
      return;
    }
    this.#tokens.add(tokens, now);
    if (output >= 0) this.#output.add(output, now);
    const { samples } = this.#tokens;
    const estimate = this.#estimate(stated.input, stated.output, stated.maxOutputTokens);
    const unknown = estimate - Math.max(0, stated.input) - Math.max(0, stated.output);
    const error = Math.min(tokens - estimate, samples > 10 ? mostAbove(unknown, this.#variance) : 10 * unknown);
    // The error of the first sample is its size. It counts only until there is a second sample.
    if (samples === 1) this.#variance = tokens ** 2;
    else this.#variance += (error * error - this.#variance) / (samples - 1);
    if (this.isKnown) return;
    this.isKnown = true;
    this.#learning.isAnyKnown = true;
    for (const guess of this.#guesses) guess.recount(now);
    this.#guesses = [];
  }

  /** Lets the guess be counted again when the size becomes known, unless its caller does not report. */
  addGuess(guess: Guess): void {
    if (!this.isKnown && !this.#hasUnreported && this.#guesses.length < MOST_GUESSES) this.#guesses.push(guess);
  }

  /** Writes estimates for the numbers of tokens that are not specified. Returns true if they are learned. */
  estimateMissing(amounts: UsageVector, maxOutputTokens: number | undefined): boolean {
    const input = amounts[INPUT_TOKENS]!;
    const output = amounts[OUTPUT_TOKENS]!;
    if (amounts[TOKENS] !== UNSPECIFIED || (input !== UNSPECIFIED && output !== UNSPECIFIED)) return false;
    const { isKnown } = this;
    if (!isKnown) {
      if (maxOutputTokens === undefined || output !== UNSPECIFIED) return false;
      amounts[input === UNSPECIFIED ? TOKENS : OUTPUT_TOKENS] = Math.ceil(maxOutputTokens);
    } else if (this.#output.samples === 0) {
      amounts[TOKENS] = Math.ceil(this.#estimate(input, output, Infinity));
    } else {
      if (input === UNSPECIFIED) amounts[INPUT_TOKENS] = Math.ceil(this.#input);
      if (output === UNSPECIFIED)
        amounts[OUTPUT_TOKENS] = Math.ceil(Math.min(this.#output.value, maxOutputTokens ?? Infinity));
    }
    return isKnown;
  }

  /**
   * Upper bound of every number of tokens that `estimateMissing` writes, with the safety margin included. `openVariance`:
   * variance of the open estimates. `input` and `output` can be UNSPECIFIED. The size must be known.
   */
  upperBound(input: number, output: number, maxOutputTokens: number, openVariance: number): number {
    const bound = this.#estimate(input, output, maxOutputTokens);
    // Input, output and margin are rounded up separately, so each of them can be 1 higher.
    return bound + 3 + safetyMargin(this.#variance, openVariance + this.#variance);
  }

  /** Amount that a lease reserves on a quota of `limit` in a window of that length while nothing is known. */
  unknownAmount(limit: number, windowMs: number): number {
    const share = (limit / UNKNOWN_DIVISOR) * Math.min(1, MINUTE_MS / windowMs);
    return this.#hasUnreported ? 1 : Math.max(1, Math.floor(share));
  }

  get #input(): number {
    return Math.max(0, this.#tokens.value - this.#output.value);
  }

  #estimate(input: number, output: number, maxOutputTokens: number): number {
    if (this.#output.samples === 0) return Math.max(this.#tokens.value, input, output);
    const ownInput = input === UNSPECIFIED ? this.#input : input;
    return ownInput + (output === UNSPECIFIED ? Math.min(this.#output.value, maxOutputTokens) : output);
  }
}

/** Tokens and output tokens that a report teaches. UNSPECIFIED or less: it has none. */
function boundedSizes(
  reported: UsageVector,
  maxOutputTokens: number,
  quotas: readonly Quota[],
): readonly [tokens: number, output: number] {
  let tokens = reported[TOKENS]!;
  let input = reported[INPUT_TOKENS]!;
  let output = Math.min(reported[OUTPUT_TOKENS]!, Math.ceil(maxOutputTokens));
  for (let i = 0; i < quotas.length; i++) {
    const { index, capacity } = quotas[i]!;
    const most = Math.max(1, capacity);
    if (index === TOKENS) tokens = Math.min(tokens, most);
    else if (index === INPUT_TOKENS) input = Math.min(input, most);
    else if (index === OUTPUT_TOKENS) output = Math.min(output, most);
  }
  const hasInput = input !== UNSPECIFIED;
  const hasOutput = output !== UNSPECIFIED;
  if (tokens === UNSPECIFIED) return hasInput && hasOutput ? [input + output, output] : [UNSPECIFIED, UNSPECIFIED];
  // The part of the output that is above its bounds is not in the tokens either.
  const surplus = hasOutput ? reported[OUTPUT_TOKENS]! - output : 0;
  if (hasOutput) return [Math.max(output, tokens - surplus), output];
  return [tokens, hasInput ? Math.min(tokens - input, maxOutputTokens) : UNSPECIFIED];
}
