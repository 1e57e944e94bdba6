import type { Dialect } from "../dialect.ts";
import { limitsIn } from "../limit-headers.ts";
import { openaiError } from "./error-bodies.ts";

const LIMITS = [
  { dimension: "requests", names: "x-ratelimit-*-requests-day", window: "day", resetKind: "full" },
  { dimension: "tokens", names: "x-ratelimit-*-tokens-minute", window: "minute", resetKind: "full" },
] as const;

/** Cerebras. Resets are in seconds with decimals. */
export const cerebras: Dialect = {
  name: "cerebras",
  hosts: ["api.cerebras.ai"],
  isKnownBy: (header) => header("x-ratelimit-limit-requests-day") !== null,
  reported: (header, epochMs) => limitsIn(LIMITS, header, epochMs),
  errorBody: openaiError,
};
