// The documented usage of a request in each dimension, for amounts that are integers.
import type { Dimension, Price, Usage } from "../../src/index.ts";

export type Taken = { readonly [dimension in Exclude<Dimension, "concurrency">]: number | null };

/** The amount in every dimension. null: unknown. */
export function expectedUsage(reported: Usage, price: Price | undefined): Taken {
  const { requests = 1, tokens, inputTokens, outputTokens, bytes, costMicroUsd } = reported;
  const parts = inputTokens === undefined && outputTokens === undefined;
  const sum = tokens ?? (parts ? null : (inputTokens ?? 0) + (outputTokens ?? 0));
  const part = (own: number | undefined, other: number | undefined) => {
    if (own !== undefined) return own;
    return tokens === undefined ? null : Math.max(0, tokens - (other ?? 0));
  };
  const input = part(inputTokens, outputTokens);
  const output = part(outputTokens, inputTokens);
  const cost = () => {
    if (costMicroUsd !== undefined) return costMicroUsd;
    if (price === undefined) return null;
    const { usdPerRequest = 0, usdPerMillionInputTokens = 0, usdPerMillionOutputTokens = 0 } = price;
    const fixed = 1e6 * usdPerRequest * requests;
    if (parts) return Math.ceil(fixed + (tokens ?? 0) * Math.max(usdPerMillionInputTokens, usdPerMillionOutputTokens));
    return Math.ceil(fixed + (input ?? 0) * usdPerMillionInputTokens + (output ?? 0) * usdPerMillionOutputTokens);
  };
  return {
    requests,
    tokens: sum,
    input_tokens: input,
    output_tokens: output,
    bytes: bytes ?? null,
    cost_usd: cost(),
  };
}
