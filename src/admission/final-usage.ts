import type { Price } from "../api/provider-config.ts";
import type { StatusClass } from "../api/status-class.ts";
import { UNSERVED } from "../observation/status-code.ts";
import { COST_USD, REQUESTS } from "../quota/dimension-index.ts";
import { correctedUsage, UNSPECIFIED, type UsageVector } from "../quota/usage-vector.ts";

/**
 * What a request that ended so counts, of what it was counted as: the truth if it was told, else that; of one that was
 * refused before any work was done, the request and what it told to have cost.
 */
export function finalUsage(
  status: StatusClass,
  told: UsageVector | null,
  counted: UsageVector,
  price: Price | null,
): UsageVector {
  if (status === "success" || !UNSERVED.includes(status)) {
    return told === null ? counted : correctedUsage(told, counted, price);
  }
  const requests = told !== null && told[REQUESTS] !== UNSPECIFIED ? told[REQUESTS]! : counted[REQUESTS]!;
  const cost = told !== null && told[COST_USD] !== UNSPECIFIED ? told[COST_USD]! : 0;
  return [requests, 0, 0, 0, 1, cost, 0];
}
