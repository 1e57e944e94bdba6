// Status classes of the words with which providers name their errors: codes, types, reasons, and names of exceptions.
//
// Regimes: a word counts as a whole, in any case, with "-" for "_". A word refines a status only as OVERRIDES says, so
// Groq's 413 with "rate_limit_exceeded" stays unsuitable. Numbers are words only beside a status.

import type { StatusClass } from "../../api/status-class.ts";
import type { Bodies } from "./foreign-object.ts";

const TABLE: { readonly [status in StatusClass]?: string } = {
  quota_exhausted: `insufficient_quota billing_error exceeded_current_quota_error credit_balance_exhausted
    billing_hard_limit_reached organization_spend_limit_exceeded project_spend_limit_exceeded 3036
    organization_usage_limit_exceeded enforced_spend_limit_reached servicequotaexceededexception
    openrouter_free_tier_daily`,
  unsuitable: `context_length_exceeded model_not_found not_found_error request_too_large max_cost_exceeded
    string_above_max_length model_decommissioned`,
  rate_limited: `rate_limit_error rate_limit_exceeded rate_limited ratelimited rate_limit ratelimitreached ratelimitexceeded
    userratelimitexceeded slow_down slowdown resource_exhausted throttled throttling throttlingexception throttledexception
    throttlingerror requestthrottled requestthrottledexception toomanyrequestsexception toomanyrequests too_many_requests
    requestlimitexceeded request_limit_exceeded provisionedthroughputexceededexception bandwidthlimitexceeded
    priorrequestnotcomplete ec2throttledexception dynamic_request_limited dynamic_token_limited
    slack_webapi_rate_limited_error`,
  overloaded: `overloaded_error overloaded server_is_overloaded engine_overloaded_error service_unavailable
    service_unavailable_error serviceunavailableexception serviceunavailable unavailable modelnotreadyexception
    capacity_exceeded service_tier_capacity_exceeded 3505 3810 3040`,
  server_error: `api_error server_error internal_server_error internalserverexception internalservererror internalfailure
    modelerrorexception modelstreamerrorexception lock_timeout`,
  timeout: "timeout_error deadline_exceeded modeltimeoutexception",
  unauthorized: "invalid_api_key authentication_error api_key_invalid",
  client_error: "card_error",
};

const CLASSES: ReadonlyMap<string, StatusClass> = new Map(
  Object.entries(TABLE).flatMap(([status, words]) =>
    words.split(/\s+/).map((word): [string, StatusClass] => [word, status as StatusClass]),
  ),
);
/** Classes by status that a word of this class refines. In the order in which words count. */
const OVERRIDES: { readonly [status in StatusClass]?: readonly StatusClass[] } = {
  client_error: ["quota_exhausted"],
  rate_limited: ["client_error", "forbidden"],
  quota_exhausted: ["client_error", "unauthorized", "forbidden", "rate_limited"],
  unsuitable: ["client_error"],
  unauthorized: ["client_error"],
  overloaded: ["client_error", "rate_limited"],
  timeout: ["client_error"],
  server_error: ["client_error", "rate_limited"],
};

/** Parts of messages that name a class which neither the status nor a code shows. In lower case. */
const PHRASES: readonly (readonly [phrase: string, status: StatusClass])[] = [
  ...["credit balance is too low", "api usage limits", "prepayment credits are depleted", "insufficient balance"],
  ...["insufficient credits", "have any credits", "free-models-per-day", "api calls / month", "account is suspended"],
].map((phrase) => [phrase, "quota_exhausted"] as const);

/** Class by the words of an answer without a status; undefined: they are unknown. */
export function classOfWords(words: readonly string[]): StatusClass | undefined {
  for (const word of words) {
    const status = /^\d/.test(word) ? undefined : classOfWord(word);
    if (status !== undefined) return status;
  }
  return undefined;
}

/** Class by the status of an answer, refined by what its bodies say. */
export function refinedClass(byStatus: StatusClass, { words, texts }: Bodies): StatusClass {
  const named = new Set(words.map(classOfWord));
  // Google's limits per day are reset at midnight, whatever wait its answer states.
  if (byStatus === "rate_limited" && words.some((word) => /PerDay/.test(word))) return "quota_exhausted";
  // OpenRouter reserves from the balance what is in flight, which ends soon.
  if (words.includes("in_flight_budget_exhausted")) return "rate_limited";
  for (const [status, refined] of Object.entries(OVERRIDES)) {
    if (named.has(status as StatusClass) && refined.includes(byStatus)) return status as StatusClass;
  }
  if (byStatus !== "client_error" && byStatus !== "forbidden" && byStatus !== "rate_limited") return byStatus;
  for (const text of texts) {
    const lower = text.toLowerCase();
    // OpenAI refuses in this way what is larger than a limit.
    if (byStatus === "rate_limited" && /^(\d{3} )?request too large/.test(lower)) return "unsuitable";
    const phrase = PHRASES.find(([part]) => lower.includes(part));
    if (phrase !== undefined) return phrase[1];
  }
  return byStatus;
}

function classOfWord(word: string): StatusClass | undefined {
  // AWS: "com.amazon#ThrottlingException:http://internal".
  const plain = word.slice(word.indexOf("#") + 1).split(":", 1)[0]!;
  return CLASSES.get(plain.toLowerCase().replaceAll("-", "_"));
}
