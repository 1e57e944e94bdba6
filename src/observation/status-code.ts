import type { StatusClass } from "../api/status-class.ts";

/** Status classes of requests that were rejected before any work: only the request itself counts as used. */
export const UNSERVED: readonly StatusClass[] = [
  "rate_limited",
  "quota_exhausted",
  "unauthorized",
  "forbidden",
  "unsuitable",
];

// Codes with a more specific class than the rest of their hundred. Some providers send 529 for "overloaded".
const EXCEPTIONS: { readonly [code: number]: StatusClass } = {
  401: "unauthorized",
  402: "quota_exhausted",
  403: "forbidden",
  408: "timeout",
  413: "unsuitable",
  420: "rate_limited",
  421: "overloaded",
  425: "overloaded",
  429: "rate_limited",
  430: "rate_limited",
  498: "overloaded",
  499: "overloaded",
  503: "overloaded",
  504: "timeout",
  529: "overloaded",
};

/** Codes that are client errors where there is no `unsuitable`: in the classic profile. */
export const LATER_CODES: readonly number[] = [413, 420, 421, 425, 430, 498, 499];

/** Status class of an HTTP status code, a whole number from 100 to 599. Null: anything else. */
export function statusClassOfCode(code: number): StatusClass | null {
  if (!Number.isInteger(code) || code < 100 || code > 599) return null;
  return EXCEPTIONS[code] ?? (code < 400 ? "success" : code < 500 ? "client_error" : "server_error");
}
