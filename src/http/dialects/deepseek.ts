import type { Dialect } from "../dialect.ts";
import { openaiError } from "./error-bodies.ts";

/** DeepSeek. It limits requests in flight, and has no headers about them. */
export const deepseek: Dialect = {
  name: "deepseek",
  hosts: ["api.deepseek.com"],
  isKnownBy: () => false,
  reported: () => [],
  errorBody: openaiError,
};
