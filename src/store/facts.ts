import type { StoreFact } from "../api/store.ts";

const MOST_FACTS = 256;

/** Facts that processes share, by key. */
export class Facts {
  readonly #facts = new Map<string, { readonly fact: StoreFact; readonly until: number }>();

  /** Adds facts, or replaces others of the same key: those of a lower revision, and of equal ones those that end sooner. */
  note(facts: readonly StoreFact[], now: number): void {
    this.#forget(now);
    for (const fact of facts) {
      const before = this.#facts.get(fact.key);
      const until = now + Math.max(1, fact.forMs);
      const isNewer =
        before === undefined
          ? this.#facts.size < MOST_FACTS
          : fact.revision > before.fact.revision || (fact.revision === before.fact.revision && until > before.until);
      if (isNewer) this.#facts.set(fact.key, { fact, until });
    }
  }

  /** Facts that hold at `now`, by key. */
  at(now: number): StoreFact[] {
    this.#forget(now);
    return [...this.#facts.values()]
      .map(({ fact, until }) => ({ ...fact, forMs: until - now }))
      .sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  #forget(now: number): void {
    for (const [key, { until }] of this.#facts) if (until <= now) this.#facts.delete(key);
  }
}
