import type { ProviderList } from "./provider-list.ts";
import { type Learning, SizeEstimate } from "./size-estimate.ts";

/** What callers want done, and the providers that can do it; a changed one goes on with the sizes that were learned. */
export class Capability {
  readonly name: string;
  readonly list: ProviderList;
  readonly learning: Learning;
  // By name of the provider.
  readonly #sizes: Map<string, SizeEstimate>;

  /** Takes the place of `had`, whose open leases teach this one. */
  constructor(name: string, list: ProviderList, had?: Capability) {
    this.name = name;
    this.list = list;
    this.learning = had === undefined ? { isAnyKnown: false } : had.learning;
    this.#sizes = had === undefined ? new Map() : had.#sizes;
    if (had === undefined) return;
    const names = new Set(list.entries.map((entry) => entry.name));
    for (const provider of this.#sizes.keys()) if (!names.has(provider)) this.#sizes.delete(provider);
  }

  /** How large its requests are on the provider of that name. */
  sizeOn(provider: string): SizeEstimate {
    let size = this.#sizes.get(provider);
    if (size === undefined) {
      size = new SizeEstimate(this.learning);
      this.#sizes.set(provider, size);
    }
    return size;
  }
}
