import type { Provider } from "../provider/provider.ts";
import type { Learning } from "../provider/size-estimate.ts";

/** Number of open leases on the providers of one name, in all and by the sizes that they teach. */
export class OpenLeases {
  total = 0;
  readonly #byLearning = new Map<Learning, number>();

  add(learning: Learning): void {
    this.total++;
    this.#byLearning.set(learning, (this.#byLearning.get(learning) ?? 0) + 1);
  }

  remove(learning: Learning): void {
    this.total--;
    const left = this.#byLearning.get(learning)! - 1;
    if (left === 0) this.#byLearning.delete(learning);
    else this.#byLearning.set(learning, left);
  }

  /** True if the end of one of them might show how large the requests of that capability are. */
  teach(learning: Learning): boolean {
    return this.#byLearning.has(learning);
  }
}

/** The open leases of all providers, by name. */
export class OpenLeasesByName {
  readonly #counts = new Map<string, OpenLeases>();

  /** Counts that last as long as the provider is registered, or a lease on it is open. */
  of({ name }: Provider): OpenLeases {
    let counts = this.#counts.get(name);
    if (counts === undefined) {
      counts = new OpenLeases();
      this.#counts.set(name, counts);
    }
    return counts;
  }

  /** Drops the counts of a removed provider that has no open lease. */
  dropIfUnused(name: string): void {
    if (this.#counts.get(name)?.total === 0) this.#counts.delete(name);
  }
}
