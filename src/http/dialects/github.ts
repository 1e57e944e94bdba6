import type { WindowSpec } from "grate-limiter";
import type { Dialect } from "../dialect.ts";
import { limitsIn } from "../limit-headers.ts";
import { plainError } from "./error-bodies.ts";

/** Windows of the resources that count requests. GraphQL counts points. */
const WINDOWS: { readonly [resource: string]: WindowSpec } = { core: "hour", search: "minute", code_search: "minute" };

/** GitHub. */
export const github: Dialect = {
  name: "github",
  hosts: ["api.github.com", "uploads.github.com"],
  isKnownBy: (header) => header("x-github-request-id") !== null,
  reported(header, epochMs) {
    const resource = header("x-ratelimit-resource") ?? "core";
    const window = Object.hasOwn(WINDOWS, resource) ? WINDOWS[resource] : undefined;
    if (window === undefined) return [];
    return limitsIn([{ dimension: "requests", names: "x-ratelimit-*", window, resetKind: "window" }], header, epochMs);
  },
  errorBody: plainError,
};
