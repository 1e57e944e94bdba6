import type { ProviderList } from "./provider-list.ts";
import { type Learning, SizeEstimate } from "./size-estimate.ts";

/** The name of a job, and the providers that can do it. A capability that is declared again keeps its learned sizes. */
export class Capability {
  readonly name: string;
  readonly list: ProviderList;
  readonly learning: Learning;
  // Size estimates by provider name.
  readonly #sizes: Map<string, SizeEstimate>;

  /** Replaces `previous`, and shares its size estimates: open leases of the previous one still add to them. */
  constructor(name: string, list: ProviderList, previous?: Capability) {
    this.name = name;
    this.list = list;
    this.learning = previous === undefined ? { isAnyKnown: false } : previous.learning;
    this.#sizes = previous === undefined ? new Map() : previous.#sizes;
    if (previous === undefined) return;
    const names = new Set(list.entries.map((entry) => entry.name));
    for (const provider of this.#sizes.keys()) if (!names.has(provider)) this.#sizes.delete(provider);
  }

  /** Estimate of the size of the capability's requests on one provider. */
  sizeOn(provider: string): SizeEstimate {
    let size = this.#sizes.get(provider);
    if (size === undefined) {
      size = new SizeEstimate(this.learning);
      this.#sizes.set(provider, size);
    }
    return size;
  }
}
