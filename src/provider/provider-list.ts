import type { CapabilityProvider } from "../api/provider-config.ts";
import type { Provider } from "./provider.ts";

/** One entry of a list, with its provider. */
export interface ListedProvider {
  readonly name: string;
  /** Priority that the list itself declares; null: that of the provider counts. */
  readonly ownPriority: number | null;
  /** Null: no provider of that name is registered. */
  readonly provider: Provider | null;
}

type ListEntry = Omit<ListedProvider, "provider">;

/** A list of providers, and the ranking that selections cache for it from one decision to the next. */
export class ProviderList {
  readonly key: string;
  readonly entries: readonly ListEntry[];
  readonly names: ReadonlySet<string>;
  /** Number of capabilities that declare this list. */
  users = 0;
  cachedRanking: object | null = null;
  #resolved: readonly ListedProvider[] | null = null;

  constructor(key: string, entries: readonly ListEntry[]) {
    this.key = key;
    this.entries = entries;
    this.names = new Set(entries.map(({ name }) => name));
  }

  /** Returns the entries with their providers; the same array until one of these providers is registered or removed. */
  resolved(providers: ReadonlyMap<string, Provider>): readonly ListedProvider[] {
    this.#resolved ??= this.entries.map((entry) => ({ ...entry, provider: providers.get(entry.name) ?? null }));
    return this.#resolved;
  }

  /** Makes the list look up its providers again, because one of them was registered or removed. */
  invalidate(): void {
    this.#resolved = null;
  }
}

/** All lists in use, each once. Capabilities that declare the same list share it, which saves memory and ranking time. */
export class ProviderLists {
  readonly #lists = new Map<string, ProviderList>();
  readonly #byProvider = new Map<string, Set<ProviderList>>();

  /** Returns the list of the entries that the profile accepts as candidates. */
  take(
    providers: readonly CapabilityProvider[],
    candidates: (names: readonly string[]) => readonly number[],
  ): ProviderList {
    const declared = providers.map((entry): ListEntry => {
      const { provider, priority } = typeof entry === "string" ? { provider: entry } : entry;
      return { name: provider, ownPriority: priority ?? null };
    });
    const entries = candidates(declared.map(({ name }) => name)).map((place) => declared[place]!);
    const key = JSON.stringify(entries);
    let list = this.#lists.get(key);
    if (list === undefined) {
      list = new ProviderList(key, entries);
      this.#lists.set(key, list);
      for (const name of list.names) {
        const lists = this.#byProvider.get(name);
        if (lists === undefined) this.#byProvider.set(name, new Set([list]));
        else lists.add(list);
      }
    }
    list.users++;
    return list;
  }

  /** Gives up one use of the list, because a capability no longer declares it. */
  giveBack(list: ProviderList): void {
    list.users--;
    if (list.users > 0) return;
    this.#lists.delete(list.key);
    for (const name of list.names) {
      const lists = this.#byProvider.get(name)!;
      lists.delete(list);
      if (lists.size === 0) this.#byProvider.delete(name);
    }
  }

  /** Invalidates the lists of a provider that was registered or removed. */
  providerChanged(name: string): void {
    for (const list of this.#byProvider.get(name) ?? []) list.invalidate();
  }
}
