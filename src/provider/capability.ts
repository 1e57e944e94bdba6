import type { Events } from "../events.ts";
import type { ProviderList } from "./provider-list.ts";
import { type Learning, SizeEstimate } from "./size-estimate.ts";

const MAX_UNSUITABLE = 20;

/** The name of a job, and the providers that can do it. A capability that is declared again keeps its learned sizes. */
export class Capability {
  readonly name: string;
  readonly list: ProviderList;
  readonly learning: Learning;
  // Size estimates by provider name.
  readonly #sizes: Map<string, SizeEstimate>;
  /** Numbers of unsuitable outcomes in a row by provider name. */
  readonly #unsuitable = new Map<string, number>();

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

  /** Counts the unsuitable outcomes in a row on one provider. Emits an event after each 20. */
  countUnsuitable(provider: string, isUnsuitable: boolean, events: Events): void {
    const count = isUnsuitable ? (this.#unsuitable.get(provider) ?? 0) + 1 : 0;
    if (count === 0) this.#unsuitable.delete(provider);
    else this.#unsuitable.set(provider, count);
    if (count > 0 && count % MAX_UNSUITABLE === 0) {
      events.emit("repeatedlyUnsuitable", { provider, capability: this.name, count });
    }
  }

  /** The sizes that were learned, by provider name. */
  get sizes(): ReadonlyMap<string, SizeEstimate> {
    return this.#sizes;
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
