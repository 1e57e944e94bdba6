import type { Dialect } from "../dialect.ts";
import { limitsIn } from "../limit-headers.ts";
import { openaiError } from "./error-bodies.ts";

// The windows and the meaning of resets are not documented: found by the limit.
const LIMITS = [
  { dimension: "requests", names: "x-ratelimit-*-requests" },
  { dimension: "tokens", names: "x-ratelimit-*-tokens" },
] as const;

/** xAI. */
export const xai: Dialect = {
  name: "xai",
  hosts: ["api.x.ai"],
  isKnownBy: () => false,
  reported: (header, epochMs) => limitsIn(LIMITS, header, epochMs),
  errorBody: openaiError,
};
