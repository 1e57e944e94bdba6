import type { Dialect } from "../dialect.ts";
import { limitsIn } from "../limit-headers.ts";
import { plainError } from "./error-bodies.ts";

const LIMITS = [{ dimension: "requests", names: "x-trial-endpoint-call-*", window: "minute" }] as const;

/** Cohere. Only trial keys have headers about limits. */
export const cohere: Dialect = {
  name: "cohere",
  hosts: ["api.cohere.com", "api.cohere.ai"],
  isKnownBy: (header) => header("x-trial-endpoint-call-limit") !== null,
  reported: (header, epochMs) => limitsIn(LIMITS, header, epochMs),
  errorBody: plainError,
};
