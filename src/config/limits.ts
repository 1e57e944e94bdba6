import type { Dimension } from "./dimension.ts";
import type { Limits, QuotaConfig } from "./options.ts";
import type { Window } from "./window.ts";

const MICRO_USD = 1_000_000;

/** What each word of `limits` stands for, in the order in which quotas made from `limits` are listed. */
export const LIMIT_WORDS: { readonly [word in keyof Limits]-?: readonly [Dimension, Window | null] } = {
  rps: ["requests", "second"],
  rpm: ["requests", "minute"],
  rph: ["requests", "hour"],
  rpd: ["requests", "day"],
  tpm: ["tokens", "minute"],
  tph: ["tokens", "hour"],
  tpd: ["tokens", "day"],
  itpm: ["input_tokens", "minute"],
  otpm: ["output_tokens", "minute"],
  concurrency: ["concurrency", null],
  usdPerHour: ["cost_usd", "hour"],
  usdPerDay: ["cost_usd", "day"],
};

/** The words of `limits`, in the order in which the quotas made from them are listed. */
export const LIMIT_NAMES: readonly (keyof Limits)[] = Object.keys(LIMIT_WORDS) as (keyof Limits)[];

/** The quota that one word with a number stands for; dollars become whole micro-USD, to the nearest. */
export function quotaOfWord(word: keyof Limits, amount: number): QuotaConfig {
  const [dimension, window] = LIMIT_WORDS[word];
  if (window === null) return { dimension: "concurrency", limit: amount };
  return { dimension, window, limit: dimension === "cost_usd" ? Math.round(amount * MICRO_USD) : amount };
}
