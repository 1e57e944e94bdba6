import type { Price } from "../api/provider-config.ts";
import type { StatusClass } from "../api/status-class.ts";
import { UNSERVED } from "../observation/status-code.ts";
import type { Guess } from "../provider/size-estimate.ts";
import { COST_USD, REQUESTS } from "../quota/dimension-index.ts";
import { correctedUsage, UNSPECIFIED, type UsageVector } from "../quota/usage-vector.ts";
import type { Candidate } from "./lease-context.ts";

/**
 * Usage that stays counted for a request with that ending: the reported usage, and the counted estimate for parts that were
 * not reported. A request that was refused before any work was done counts as a request, with its reported cost. An unsuitable
 * one counts nothing that is not reported.
 */
export function finalUsage(
  status: StatusClass,
  reported: UsageVector | null,
  counted: UsageVector,
  price: Price | null,
): UsageVector {
  if (status === "success" || !UNSERVED.includes(status)) {
    return reported === null ? counted : correctedUsage(reported, counted, price);
  }
  const expected = status === "unsuitable" ? 0 : counted[REQUESTS]!;
  const requests = reported !== null && reported[REQUESTS] !== UNSPECIFIED ? reported[REQUESTS]! : expected;
  const cost = reported !== null && reported[COST_USD] !== UNSPECIFIED ? reported[COST_USD]! : 0;
  return [requests, 0, 0, 0, 1, cost, 0];
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
