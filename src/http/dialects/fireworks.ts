import type { Dialect } from "../dialect.ts";
import { limitsIn } from "../limit-headers.ts";
import { openaiError } from "./error-bodies.ts";

// The limit of prompts without cached tokens has no dimension of its own, and is left out.
const LIMITS = [
  { dimension: "requests", names: "x-ratelimit-*-requests", window: "minute" },
  { dimension: "input_tokens", names: "x-ratelimit-*-tokens-prompt", window: "minute" },
  { dimension: "output_tokens", names: "x-ratelimit-*-tokens-generated", window: "minute" },
] as const;

/** Fireworks. Its limits move with the load, and have no resets. */
export const fireworks: Dialect = {
  name: "fireworks",
  hosts: ["api.fireworks.ai"],
  isKnownBy: (header) => header("x-ratelimit-over-limit") !== null,
  reported: (header, epochMs) => limitsIn(LIMITS, header, epochMs),
  errorBody: openaiError,
};
