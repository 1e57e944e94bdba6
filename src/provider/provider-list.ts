import type { CapabilityProvider } from "../api/provider-config.ts";
import type { Provider } from "./provider.ts";

/** One entry of a list: a name, which need not be registered yet, and possibly a priority of its own. */
export interface Listed {
  readonly name: string;
  readonly ownPriority: number | null;
  readonly provider: Provider | null;
}

type Entry = Omit<Listed, "provider">;

/** A list of providers, and the ranking that a selection keeps of it from one decision to the next. */
export class ProviderList {
  readonly key: string;
  readonly entries: readonly Entry[];
  readonly names: ReadonlySet<string>;
  /** Number of capabilities that declare this list. */
  users = 0;
  kept: object | null = null;
  #resolved: readonly Listed[] | null = null;

  constructor(key: string, entries: readonly Entry[]) {
    this.key = key;
    this.entries = entries;
    this.names = new Set(entries.map(({ name }) => name));
  }

  /** The entries with their providers; the same array until one of these is registered or removed. */
  resolved(providers: ReadonlyMap<string, Provider>): readonly Listed[] {
    this.#resolved ??= this.entries.map((entry) => ({ ...entry, provider: providers.get(entry.name) ?? null }));
    return this.#resolved;
  }

  /** One of its providers was registered or removed. */
  invalidate(): void {
    this.#resolved = null;
  }
}

/** Every list once: capabilities that declare the same list share it, and with it memory and time. */
export class ProviderLists {
  readonly #lists = new Map<string, ProviderList>();
  readonly #byProvider = new Map<string, Set<ProviderList>>();

  /** Returns the list of the entries that the profile accepts as candidates. */
  take(
    providers: readonly CapabilityProvider[],
    candidates: (names: readonly string[]) => readonly number[],
  ): ProviderList {
    const declared = providers.map((entry): Entry => {
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
        const naming = this.#byProvider.get(name);
        if (naming === undefined) this.#byProvider.set(name, new Set([list]));
        else naming.add(list);
      }
    }
    list.users++;
    return list;
  }

  /** A capability no longer declares the list. */
  giveBack(list: ProviderList): void {
    list.users--;
    if (list.users > 0) return;
    this.#lists.delete(list.key);
    for (const name of list.names) {
      const naming = this.#byProvider.get(name)!;
      naming.delete(list);
      if (naming.size === 0) this.#byProvider.delete(name);
    }
  }

  /** The provider of that name was registered or removed. */
  providerChanged(name: string): void {
    for (const list of this.#byProvider.get(name) ?? []) list.invalidate();
  }
}
