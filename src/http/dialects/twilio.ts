import type { Dialect } from "../dialect.ts";

/** Twilio. It states the requests in progress of the account, and no limit, so nothing can be reported. */
export const twilio: Dialect = {
  name: "twilio",
  hosts: ["twilio.com"],
  isKnownBy: (header) => header("twilio-request-id") !== null || header("twilio-concurrent-requests") !== null,
  reported: () => [],
  errorBody: (message, status) => ({ code: 20_429, message, status }),
};
