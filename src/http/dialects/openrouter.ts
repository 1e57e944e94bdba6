import type { Dialect } from "../dialect.ts";
import { limitsIn } from "../limit-headers.ts";

const LIMITS = [{ dimension: "requests", names: "x-ratelimit-*", resetKind: "window" }] as const;

/** OpenRouter. Its requests are per minute or per day: found by the limit. */
export const openrouter: Dialect = {
  name: "openrouter",
  hosts: ["openrouter.ai"],
  isKnownBy: () => false,
  reported: (header, epochMs) => limitsIn(LIMITS, header, epochMs),
  errorBody: (message, code) => ({ error: { code, message } }),
};
