import type { CapabilityProvider } from "../api/provider-config.ts";
import { DEFAULT_PRIORITY, type Provider } from "./provider.ts";

/** One place in a list: a name, which need not be registered yet, and perhaps a priority of its own. */
export interface Listed {
  readonly name: string;
  readonly ownPriority: number | null;
  readonly provider: Provider | null;
}

type Entry = Omit<Listed, "provider">;

/** A list of providers, and what selection keeps of it from one decision to the next. */
export class ProviderList {
  readonly key: string;
  readonly entries: readonly Entry[];
  /** How many capabilities declare it. */
  users = 0;
  kept: object | null = null;
  #listed: readonly Listed[] = [];
  #revision = -1;

  constructor(key: string, entries: readonly Entry[]) {
    this.key = key;
    this.entries = entries;
  }

  /** The entries with the providers looked up; `revision` changes whenever a provider comes or goes. */
  listed(providers: ReadonlyMap<string, Provider>, revision: number): readonly Listed[] {
    if (revision !== this.#revision) {
      this.#listed = this.entries.map((entry) => ({ ...entry, provider: providers.get(entry.name) ?? null }));
      this.#revision = revision;
    }
    return this.#listed;
  }
}

/** Every list once: capabilities that declare the same share it, so that many of them cost the memory and time of one. */
export class ProviderLists {
  readonly #lists = new Map<string, ProviderList>();

  /** The list of those entries that the profile takes for candidates. */
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
    const list = this.#lists.get(key) ?? new ProviderList(key, entries);
    this.#lists.set(key, list);
    list.users++;
    return list;
  }

  /** One capability declares it no more. */
  giveBack(list: ProviderList): void {
    list.users--;
    if (list.users === 0) this.#lists.delete(list.key);
  }
}

/** The priority that counts for this place: its own, else the provider's, read when asked. */
export function priorityOf(listed: Listed): number {
  return listed.ownPriority ?? listed.provider?.settings.priority ?? DEFAULT_PRIORITY;
}
