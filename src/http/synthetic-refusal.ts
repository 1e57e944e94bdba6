import type { NoAvailableProviders } from "grate-limiter";
import type { Dialect } from "./dialect.ts";
import { type WebResponse, web } from "./web.ts";

/** Response for a request that was not sent: 429 with the time to wait, or 503 if no time is known. */
export function syntheticRefusal({ message, retryAfterMs }: NoAvailableProviders, dialect: Dialect): WebResponse {
  const status = retryAfterMs === null ? 503 : 429;
  const wait = retryAfterMs !== null && {
    "retry-after": String(Math.max(1, Math.ceil(retryAfterMs / 1_000))),
    "retry-after-ms": String(Math.ceil(retryAfterMs)),
  };
  const headers = { "content-type": "application/json", "x-should-retry": "false", ...wait };
  return new web.Response(JSON.stringify(dialect.errorBody(message, status)), { status, headers });
}
