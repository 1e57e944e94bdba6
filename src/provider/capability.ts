import type { CapabilityProvider } from "../config/options.ts";
import { LearnedSize, type Learning } from "./learned-size.ts";
import { DEFAULT_PRIORITY, type Provider } from "./provider.ts";

/** One place in a capability's list: a name, which need not be registered yet, and perhaps a priority of its own. */
export interface Listed {
  readonly name: string;
  readonly ownPriority: number | null;
  readonly provider: Provider | null;
  /** How large this capability's requests are on it. */
  readonly size: LearnedSize;
}

/** What callers want done, and the providers that can do it; a changed one goes on with the sizes that were learned. */
export class Capability {
  readonly name: string;
  readonly learning: Learning;
  readonly #entries: readonly Omit<Listed, "provider">[];
  #listed: readonly Listed[] = [];
  #revision = -1;
  /** What selection keeps from one decision to the next. */
  kept: object | null = null;

  constructor(
    name: string,
    providers: readonly CapabilityProvider[],
    candidates: (names: readonly string[]) => readonly number[],
    had?: Capability,
  ) {
    this.name = name;
    this.learning = had?.learning ?? { isAnyKnown: false };
    const sizes = new Map(had === undefined ? [] : had.#entries.map(({ name, size }) => [name, size]));
    const entries = providers.map((entry) => {
      const { provider, priority } = typeof entry === "string" ? { provider: entry } : entry;
      return {
        name: provider,
        ownPriority: priority ?? null,
        size: sizes.get(provider) ?? new LearnedSize(this.learning),
      };
    });
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
