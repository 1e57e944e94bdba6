import type { Dialect } from "../dialect.ts";

/** Stripe. It names the limiter that refused, and no limits. */
export const stripe: Dialect = {
  name: "stripe",
  hosts: ["api.stripe.com"],
  isKnownBy: (header) => header("stripe-version") !== null || header("stripe-rate-limited-reason") !== null,
  reported: () => [],
  errorBody(message, status) {
    return {
      error:
        status === 429
          ? { type: "invalid_request_error", code: "rate_limit", message }
          : { type: "api_error", message },
    };
  },
};
