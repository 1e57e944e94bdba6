// The dollars of one batch.
//
//   a request may start if   spent + bounds of the open requests + its own bound <= maxUsd
//   bound  = the stated cost, or the price of the stated input and of all output that is allowed; else the estimate
//   spent  = cost of the requests that have ended, as their leases count it
//
// Regimes: exact if costs, or sizes and prices, are stated. An estimate can be exceeded by one answer.

import type { ActiveLease } from "../admission/active-lease.ts";
import { InvalidConfig } from "../errors.ts";
import { COST_USD } from "../quota/dimension-index.ts";

/** Micro-USD that one batch may cost. */
export class BatchBudget {
  #left: number;
  /** Open requests with their bounds. */
  readonly #open = new Map<ActiveLease, number>();

  constructor(maxUsd: number) {
    this.#left = Math.round(maxUsd * 1e6);
  }

  /** True if the request may start. Throws InvalidConfig if its cost is unknown. */
  admits(lease: ActiveLease): boolean {
    let reserved = 0;
    for (const [open, bound] of this.#open) {
      if (!open.hasEnded) reserved += bound;
      else {
        const cost = open.amounts[COST_USD]!;
        // Without a dollar quota no cost is counted before the usage is known.
        this.#left -= cost < 0 ? bound : cost;
        this.#open.delete(open);
      }
    }
    const bound = lease.costBound;
    if (bound === null) {
      const problem = { path: "costMicroUsd", expected: "a cost in micro-USD", got: "undefined" };
      const text =
        "maxUsd needs the cost of each request: set the price of the provider, or return costMicroUsd from needs";
      throw new InvalidConfig([problem], [`costMicroUsd: ${text}`]);
    }
    if (reserved + bound > this.#left) return false;
    this.#open.set(lease, bound);
    return true;
  }
}
