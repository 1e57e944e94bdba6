// How vendors count, as far as it differs from the rules for a provider without a dialect. No limits: those change every month.
//
//   output      the vendor charges `max_tokens` when the request arrives, and whether it gives the rest back is not documented
//   unsuitable  a request that is refused as unsuitable counts as a request
//   cached      input tokens from a prompt cache do not count
//   at end      output counts when it is generated, so the amount counts for one window from the end
//
// Regimes: each fact that is not verified has the safe value, which is the one that counts more. Responses with limits in their
// headers show an amount that a vendor gives back.
// Sources, read in November 2026: OpenAI, developers.openai.com/api/docs/guides/rate-limits (the larger of max_tokens and the
// estimated tokens; unsuccessful requests count; cached tokens count). Azure, learn.microsoft.com quota pages of 2026-05-06
// (prompt + max_tokens; unsuccessful requests count). Anthropic, platform.claude.com/docs/en/api/rate-limits (max_tokens does
// not count, output counts as it is generated, cache reads do not count but for Haiku 3.5). Groq, console.groq.com docs (input +
// max_completion_tokens, cached tokens do not count). Gemini, ai.google.dev/gemini-api/docs/rate-limits (tokens per minute are
// input only; failed requests count). All others: not verified.

import type { DialectName } from "../api/dialect-name.ts";
import type { Dimension } from "../api/dimension.ts";

/** Way in which a vendor counts. */
export interface DialectTerms {
  /** True if the stated `maxOutputTokens` are reserved in full, and stay counted. */
  readonly chargesMaxOutput: boolean;
  /** True if a request that is unsuitable for the provider counts as a request. */
  readonly countsUnsuitable: boolean;
  /** Dimensions that do not count cached input. */
  readonly uncached: readonly Dimension[];
  /** Dimensions that count when the response ends. */
  readonly atEnd: readonly Dimension[];
}

/** Terms of a provider without a dialect. */
export const PLAIN_TERMS: DialectTerms = { chargesMaxOutput: false, countsUnsuitable: false, uncached: [], atEnd: [] };
const SAFE: DialectTerms = { ...PLAIN_TERMS, chargesMaxOutput: true, countsUnsuitable: true };
const VERIFIED: { readonly [name in DialectName]?: Partial<DialectTerms> } = {
  anthropic: { chargesMaxOutput: false, uncached: ["input_tokens"], atEnd: ["output_tokens"] },
  gemini: { chargesMaxOutput: false },
  groq: { uncached: ["tokens", "input_tokens"] },
};

/** Terms of the dialect. */
export function dialectTerms(name: DialectName | undefined): DialectTerms {
  return name === undefined ? PLAIN_TERMS : { ...SAFE, ...VERIFIED[name] };
}
