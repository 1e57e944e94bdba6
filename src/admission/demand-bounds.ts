import type { Provider } from "../provider/provider.ts";
import { type Demand, demandFor } from "../quota/usage-vector.ts";

/** Largest demands and earliest deadline of several waiters. */
export class DemandBounds {
  earliestDeadline: number = Infinity;
  readonly #demands = new Map<Provider, Demand>();

  add(provider: Provider, demand: Demand, deadline: number): void {
    if (deadline < this.earliestDeadline) this.earliestDeadline = deadline;
    const bound = this.#demands.get(provider);
    if (bound === undefined || !covers(bound, demand)) this.#demands.set(provider, union(bound ?? demand, demand));
  }

  /** A demand that is at least that of each waiter on the provider; undefined: none of them might go there. */
  on(provider: Provider): Demand | undefined {
    return this.#demands.get(provider);
  }
}

function covers(bound: Demand, { amounts, variance, costPerToken }: Demand): boolean {
  if (variance > bound.variance || costPerToken > bound.costPerToken) return false;
  return amounts.every((_, index) => demandFor(amounts, index) <= demandFor(bound.amounts, index));
}

function union(a: Demand, b: Demand): Demand {
  return {
    amounts: a.amounts.map((_, index) => Math.max(demandFor(a.amounts, index), demandFor(b.amounts, index))),
    variance: Math.max(a.variance, b.variance),
    costPerToken: Math.max(a.costPerToken, b.costPerToken),
  };
}
