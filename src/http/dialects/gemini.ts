import type { Dialect } from "../dialect.ts";

/** Google's Gemini. Its responses have no headers about limits. */
export const gemini: Dialect = {
  name: "gemini",
  hosts: ["generativelanguage.googleapis.com", "aiplatform.googleapis.com"],
  isKnownBy: () => false,
  reported: () => [],
  errorBody(message, code) {
    return { error: { code, message, status: code === 429 ? "RESOURCE_EXHAUSTED" : "UNAVAILABLE" } };
  },
};
