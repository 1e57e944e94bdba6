import type { Dialect } from "../dialect.ts";
import { limitsIn } from "../limit-headers.ts";
import { openaiError } from "./error-bodies.ts";

const LIMITS = [
  // Per minute or per day: the name does not say. Found by the limit.
  { dimension: "requests", names: "x-ratelimit-*-requests", resetKind: "full" },
  { dimension: "tokens", names: "x-ratelimit-*-tokens", window: "minute", resetKind: "full" },
  { dimension: "tokens", names: "x-ratelimit-*-project-tokens", resetKind: "full" },
] as const;

/** OpenAI. Resets are the time until a bucket is full (shown by arithmetic with real headers). */
export const openai: Dialect = {
  name: "openai",
  hosts: ["api.openai.com"],
  isKnownBy: (header) => header("openai-processing-ms") !== null || header("openai-organization") !== null,
  reported: (header, epochMs) => limitsIn(LIMITS, header, epochMs),
  errorBody: openaiError,
};
