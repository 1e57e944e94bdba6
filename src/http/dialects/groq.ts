import type { Dialect } from "../dialect.ts";
import { limitsIn } from "../limit-headers.ts";
import { openaiError } from "./error-bodies.ts";

const LIMITS = [
  { dimension: "requests", names: "x-ratelimit-*-requests", window: "day", resetKind: "full" },
  { dimension: "tokens", names: "x-ratelimit-*-tokens", window: "minute", resetKind: "full" },
] as const;

/** Groq. Its requests are per day, and its tokens per minute. */
export const groq: Dialect = {
  name: "groq",
  hosts: ["api.groq.com"],
  isKnownBy: (header) => header("x-groq-region") !== null,
  reported: (header, epochMs) => limitsIn(LIMITS, header, epochMs),
  errorBody: openaiError,
};
