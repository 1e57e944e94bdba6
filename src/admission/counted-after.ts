import { COST_USD, REQUESTS } from "../config/dimension.ts";
import type { Price } from "../config/options.ts";
import { type StatusClass, UNSERVED } from "../config/status-class.ts";
import { type Amounts, correctedAmounts, NOT_TOLD } from "../quota/amounts.ts";

/**
 * What a request that ended so counts, of what it was counted as: the truth if it was told, else that; of one that was
 * refused before any work was done, the request and what it told to have cost.
 */
export function countedAfter(
  status: StatusClass,
  told: Amounts | null,
  counted: Amounts,
  price: Price | null,
): Amounts {
  if (status === "success" || !UNSERVED.includes(status)) {
    return told === null ? counted : correctedAmounts(told, counted, price);
  }
  const requests = told !== null && told[REQUESTS] !== NOT_TOLD ? told[REQUESTS]! : counted[REQUESTS]!;
  const cost = told !== null && told[COST_USD] !== NOT_TOLD ? told[COST_USD]! : 0;
  return [requests, 0, 0, 0, 1, cost, 0];
}
