import type { CapabilityProvider } from "../config/options.ts";
import { DEFAULT_PRIORITY, type Provider } from "./provider.ts";

/** One place in a capability's list: a name, which need not be registered yet, and perhaps a priority of its own. */
export interface Listed {
  readonly name: string;
  readonly ownPriority: number | null;
  readonly provider: Provider | null;
}

/** What callers want done, and the providers that can do it. */
export class Capability {
  readonly name: string;
  readonly #entries: readonly { readonly name: string; readonly ownPriority: number | null }[];
  #listed: readonly Listed[] = [];
  #revision = -1;

  constructor(
    name: string,
    providers: readonly CapabilityProvider[],
    candidates: (names: readonly string[]) => readonly number[],
  ) {
    this.name = name;
    const entries = providers.map((entry) =>
      typeof entry === "string"
        ? { name: entry, ownPriority: null }
        : { name: entry.provider, ownPriority: entry.priority ?? null },
    );
    this.#entries = candidates(entries.map((entry) => entry.name)).map((place) => entries[place]!);
  }

  /** The list with the providers looked up; `revision` changes whenever a provider comes or goes. */
  listed(providers: ReadonlyMap<string, Provider>, revision: number): readonly Listed[] {
    if (revision !== this.#revision) {
      this.#listed = this.#entries.map((entry) => ({ ...entry, provider: providers.get(entry.name) ?? null }));
      this.#revision = revision;
    }
    return this.#listed;
  }
}

/** The priority that counts for this place: its own, else the provider's, read when asked. */
export function priorityOf(listed: Listed): number {
  return listed.ownPriority ?? listed.provider?.settings.priority ?? DEFAULT_PRIORITY;
}
