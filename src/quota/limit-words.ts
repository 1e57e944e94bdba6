import type { Dimension } from "../api/dimension.ts";
import type { Limits, QuotaConfig } from "../api/provider-config.ts";
import type { Window } from "../api/window.ts";

const MICRO_USD = 1_000_000;

/** Dimension and window of each word of `limits`. */
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

/** The quota that a word of `limits` declares. Dollars become micro-USD, rounded to the nearest whole number. */
export function quotaOfWord(word: keyof Limits, amount: number): QuotaConfig {
  const [dimension, window] = LIMIT_WORDS[word];
  if (window === null) return { dimension: "concurrency", limit: amount };
  return { dimension, window, limit: dimension === "cost_usd" ? Math.round(amount * MICRO_USD) : amount };
}
