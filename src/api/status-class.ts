/** What kind of end a request had; the bare strings are accepted everywhere. */
export const StatusClass = {
  Success: "success",
  RateLimited: "rate_limited",
  Forbidden: "forbidden",
  ServerError: "server_error",
  Timeout: "timeout",
  ClientError: "client_error",
  Unauthorized: "unauthorized",
  Overloaded: "overloaded",
  QuotaExhausted: "quota_exhausted",
  Cancelled: "cancelled",
} as const;
/** One of the ten classes, as its snake_case string. */
export type StatusClass = (typeof StatusClass)[keyof typeof StatusClass];

/** Every status class. */
export const STATUSES: readonly StatusClass[] = Object.values(StatusClass);
