import type { Dialect } from "../dialect.ts";
import { limitsIn } from "../limit-headers.ts";

const LIMITS = [
  { dimension: "requests", names: "x-ratelimit-*-req-minute", window: "minute" },
  { dimension: "tokens", names: "x-ratelimit-*-tokens-minute", window: "minute" },
] as const;

/** Mistral. It states no resets. */
export const mistral: Dialect = {
  name: "mistral",
  hosts: ["api.mistral.ai", "codestral.mistral.ai"],
  isKnownBy: (header) => header("x-ratelimit-limit-req-minute") !== null,
  reported: (header, epochMs) => limitsIn(LIMITS, header, epochMs),
  errorBody(message, status) {
    return { object: "error", message, type: status === 429 ? "rate_limited" : "service_unavailable", code: null };
  },
};
