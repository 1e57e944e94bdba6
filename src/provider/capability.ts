import { LearnedSize, type Learning } from "./learned-size.ts";
import type { ProviderList } from "./provider-list.ts";

/** What callers want done, and the providers that can do it; a changed one goes on with the sizes that were learned. */
export class Capability {
  readonly name: string;
  readonly list: ProviderList;
  readonly learning: Learning;
  readonly #sizes = new Map<string, LearnedSize>();

  constructor(name: string, list: ProviderList, had?: Capability) {
    this.name = name;
    this.list = list;
    this.learning = had?.learning ?? { isAnyKnown: false };
    if (had === undefined) return;
    for (const { name } of list.entries) {
      const size = had.#sizes.get(name);
      if (size !== undefined) this.#sizes.set(name, size);
    }
  }

  /** How large its requests are on the provider of that name. */
  sizeOn(provider: string): LearnedSize {
    let size = this.#sizes.get(provider);
    if (size === undefined) {
      size = new LearnedSize(this.learning);
      this.#sizes.set(provider, size);
    }
    return size;
  }
}
