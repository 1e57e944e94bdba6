import type { Dialect } from "../dialect.ts";

/** Any vendor without a dialect of its own. */
export const generic: Dialect = {
  name: "generic",
  detects: () => true,
  reported: () => [],
  errorBody: (message) => ({ error: { message } }),
};
