import type { StatusClass } from "../api/status-class.ts";
import { UNSERVED } from "../observation/status-code.ts";
import type { Guess } from "../provider/size-estimate.ts";
import { COST_USD, INPUT_TOKENS, OUTPUT_TOKENS, REQUESTS, TOKENS } from "../quota/dimension-index.ts";
import { correctedUsage, UNSPECIFIED, type UsageVector } from "../quota/usage-vector.ts";
import type { Candidate } from "./lease-context.ts";

/**
 * Usage that stays counted for a request with that ending: the reported usage, and the counted estimate for parts that were
 * not reported. A request that was refused before any work was done counts as a request, with its reported cost. An unsuitable
 * one counts nothing that is not reported, unless the vendor counts it. Output that the vendor charged on arrival stays counted.
 */
export function finalUsage(
  status: StatusClass,
  reported: UsageVector | null,
  counted: UsageVector,
  { provider, request, needs }: Candidate,
): UsageVector {
  const { price, terms } = provider.settings;
  if (status === "success" || !UNSERVED.includes(status)) {
    const amounts = reported === null ? counted : correctedUsage(reported, counted, price);
    return terms.chargesMaxOutput && request.limitsOutput ? withCharged(amounts, needs.amounts) : amounts;
  }
  const expected = status === "unsuitable" && !terms.countsUnsuitable ? 0 : counted[REQUESTS]!;
  const requests = reported !== null && reported[REQUESTS] !== UNSPECIFIED ? reported[REQUESTS]! : expected;
  const cost = reported !== null && reported[COST_USD] !== UNSPECIFIED ? reported[COST_USD]! : 0;
  return [requests, 0, 0, 0, 1, cost, 0];
}

/** The amounts, with at least the output that was reserved. */
function withCharged(amounts: UsageVector, reserved: UsageVector): UsageVector {
  const charged = amounts.slice();
  const output = reserved[OUTPUT_TOKENS]!;
  const tokens = Math.min(reserved[TOKENS]!, Math.max(0, amounts[INPUT_TOKENS]!) + output);
  charged[OUTPUT_TOKENS] = Math.max(amounts[OUTPUT_TOKENS]!, output);
  charged[TOKENS] = Math.max(amounts[TOKENS]!, tokens);
  return charged;
}

/**
 * Amounts of a request as far as they are known: an invented estimate is reserved, but never counted as usage. `lease` is
 * counted again when the size of such requests becomes known.
 */
export function knownUsage(
  status: StatusClass,
  { provider, capability, request }: Candidate,
  lease: Guess & { readonly amounts: UsageVector },
  reported: UsageVector | null,
): UsageVector {
  if (!provider.hasSizes || !provider.isRegistered || request.isFullySpecified) return lease.amounts;
  const size = capability.sizeOn(provider.name);
  const isServed = status === "success";
  if (!isServed && reported === null && !UNSERVED.includes(status)) size.addGuess(lease);
  return request.knownUsage(provider, size, isServed);
}
