/** Classes of outcomes. The plain strings are accepted everywhere. */
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
  /** Not for this provider, and not its fault: its model is unknown there, or the request is too large for it. */
  Unsuitable: "unsuitable",
  Cancelled: "cancelled",
} as const;
/** Class of an outcome, as a string. */
export type StatusClass = (typeof StatusClass)[keyof typeof StatusClass];

/** All status classes. */
export const STATUSES: readonly StatusClass[] = Object.values(StatusClass);
