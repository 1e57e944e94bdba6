import type { DialectName } from "grate-limiter";
import { dialectOf } from "./dialects/dialects.ts";
import { web } from "./web.ts";

/** A `Refusal`, or the `NoAvailableProviders` of a call. */
export interface Refused {
  readonly message?: string;
  readonly retryAfterMs: number | null;
}

/**
 * Response for a request that was not served: 429 with `retry-after`, `retry-after-ms` and `x-should-retry: false`, or 503 if
 * no time is known. `dialect`: the shape of the body, so that the vendor's client throws its own error; default that of
 * OpenAI.
 */
export function refusalResponse(refused: Refused, dialect?: DialectName): Response {
  return refusalIn(dialect, "", refused);
}

/** The same, in the shape of the vendor of a host. */
export function refusalIn(dialect: string | undefined, host: string, { message, retryAfterMs }: Refused): Response {
  const status = retryAfterMs === null ? 503 : 429;
  const wait = retryAfterMs !== null && {
    "retry-after": String(Math.max(1, Math.ceil(retryAfterMs / 1_000))),
    "retry-after-ms": String(Math.ceil(retryAfterMs)),
  };
  const headers = { "content-type": "application/json", "x-should-retry": "false", ...wait };
  const body = dialectOf(dialect, () => null, host).errorBody(message ?? "no provider has capacity", status);
  return new web.Response(JSON.stringify(body), { status, headers }) as unknown as Response;
}
