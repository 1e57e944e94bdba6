import type { Dialect } from "../dialect.ts";
import { limitsIn } from "../limit-headers.ts";
import { openaiError } from "./error-bodies.ts";

const LIMITS = [
  { dimension: "requests", names: "x-ratelimit-*" },
  { dimension: "requests", names: "x-rate-limit-*" },
  { dimension: "requests", names: "x-ratelimit-*-requests" },
  { dimension: "tokens", names: "x-ratelimit-*-tokens" },
] as const;

/** Any other vendor: the names that most of them use. Windows and the meaning of resets are unknown. */
export const generic: Dialect = {
  name: "generic",
  hosts: [],
  isKnownBy: () => true,
  reported: (header, epochMs) => limitsIn(LIMITS, header, epochMs),
  errorBody: openaiError,
};
