import type { Dialect } from "../dialect.ts";
import { limitsIn } from "../limit-headers.ts";
import { openaiError } from "./error-bodies.ts";

const LIMITS = ["requests", "tokens"].map((dimension) => ({
  dimension: dimension as "requests" | "tokens",
  names: `x-ratelimit-*-${dimension}`,
  windowName: `x-ratelimit-renewalperiod-${dimension}`,
  resetKind: "window" as const,
}));

/** Azure OpenAI. -1 means no limit. */
export const azure: Dialect = {
  name: "azure",
  hosts: ["openai.azure.com", "cognitiveservices.azure.com", "services.ai.azure.com"],
  isKnownBy: (header) => header("apim-request-id") !== null || header("x-ratelimit-renewalperiod-tokens") !== null,
  reported(header, epochMs) {
    const limits = limitsIn(LIMITS, header, epochMs);
    // A reset of 0 with nothing remaining contradicts itself: the window lasts for up to its whole length.
    return limits.map(({ resetMs, resetKind, resolutionMs, ...rest }) =>
      resetMs === undefined || (resetMs === 0 && rest.remaining === 0)
        ? rest
        : { ...rest, resetMs, resetKind, resolutionMs },
    );
  },
  errorBody: openaiError,
};
