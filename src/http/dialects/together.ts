import type { Dialect } from "../dialect.ts";
import { limitsIn } from "../limit-headers.ts";
import { openaiError } from "./error-bodies.ts";

const LIMITS = [
  { dimension: "requests", names: "x-ratelimit-*", window: "second", resetKind: "full" },
  { dimension: "tokens", names: "x-tokenlimit-*", window: "second", resetKind: "full" },
] as const;

/** Together. Older responses state limits per second; newer ones state only a reset. */
export const together: Dialect = {
  name: "together",
  hosts: ["api.together.xyz", "api.together.ai"],
  isKnownBy: (header) => header("x-tokenlimit-limit") !== null,
  reported: (header, epochMs) => limitsIn(LIMITS, header, epochMs),
  errorBody: openaiError,
};
