import { REPORTED_USAGE_FIELDS } from "../api/usage.ts";
import { anything, each, name, objectOf, oneOf } from "../validation/check.ts";
import { type Check, isRecord } from "../validation/problems.ts";
import { statusNamed } from "./outcome-fields.ts";

const statusCheck: Check = (value, problems) => {
  const { statuses } = problems.vocabulary!;
  if (statusNamed(value, problems.vocabulary!) !== null) return;
  oneOf(statuses, `one of ${statuses.join(", ")}, or the HTTP status code of one`)(value, problems);
};

const usageKeys = objectOf(each(REPORTED_USAGE_FIELDS, anything));
// A usage that is not an object passes this check, because the reader ignores and counts it as an invalid amount.
const usageCheck: Check = (value, problems) => {
  if (isRecord(value)) usageKeys(value, problems);
};

const outcomeShape = { status: statusCheck, latencyMs: anything, retryAfterMs: anything, reported: anything };
const outcomeCheck: Check = (value, problems) => {
  if (!isRecord(value) || Object.hasOwn(value, "status")) objectOf(outcomeShape, "status")(value, problems);
  else if ("headers" in value) problems.add("{ status, retryAfterMs } copied from the response", value);
  else problems.at("status", statusCheck, undefined);
};

/** Finds all problems that prevent an observation from being applied. */
export const observationCheck: Check = objectOf(
  { provider: name, capability: anything, usage: usageCheck, outcome: outcomeCheck },
  "provider",
  "outcome",
);
