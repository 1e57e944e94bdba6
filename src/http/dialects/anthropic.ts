import type { Dialect } from "../dialect.ts";
import { limitsIn } from "../limit-headers.ts";

// `-tokens` is left out: it repeats the limit of input or output that is nearer to its end.
const LIMITS = [
  { dimension: "requests", of: "requests", roundedTo: 0 },
  { dimension: "input_tokens", of: "input-tokens", roundedTo: 1_000 },
  { dimension: "output_tokens", of: "output-tokens", roundedTo: 1_000 },
] as const;
const TABLE = LIMITS.map(({ dimension, of, roundedTo }) => ({
  ...{
    dimension,
    names: `anthropic-ratelimit-${of}-*`,
    window: "minute" as const,
    resetKind: "full" as const,
    roundedTo,
  },
}));

/** Anthropic. Resets are in whole seconds, and the remaining tokens are rounded to thousands. */
export const anthropic: Dialect = {
  name: "anthropic",
  hosts: ["api.anthropic.com"],
  isKnownBy: (header) =>
    header("anthropic-organization-id") !== null || header("anthropic-ratelimit-requests-limit") !== null,
  reported: (header, epochMs) => limitsIn(TABLE, header, epochMs),
  errorBody(message, status) {
    return { type: "error", error: { type: status === 429 ? "rate_limit_error" : "overloaded_error", message } };
  },
};
