import type { Quota } from "./quota.ts";

/** Something that holds an amount of a quota until it is counted there, or given back. */
export interface Holder {
  /** Whether it still does. */
  holds(quota: Quota): boolean;
  /** From when on it will not, if nothing more is heard; null: nobody knows, or it does not hold any. */
  pendingOn(quota: Quota): Pending | null;
  /** What it takes of the quota until it ends; 0 if it has. */
  openOn(quota: Quota): number;
  /** How much of that its end can give back at most. */
  mostBack(quota: Quota): number;
  /** From when on it counts, or will. */
  readonly countsFrom: number;
}

/** What is held until an instant. */
export interface Pending {
  readonly at: number;
  readonly amount: number;
}

const SPARE = 4;

/** Those who hold some of one quota; joining and leaving cost the same however many there are. */
export class Holders {
  readonly #quota: Quota;
  // Oldest first, with some among them that do not hold any of it any more.
  #all: Holder[] = [];
  #count = 0;

  constructor(quota: Quota) {
    this.#quota = quota;
  }

  /** From now on it may tell what is pending; those that join later are due later, or not much earlier. */
  join(holder: Holder): void {
    this.#all.push(holder);
    this.#count++;
  }

  /** It holds nothing any more. */
  leave(holder: Holder): void {
    const all = this.#all;
    this.#count--;
    if (all[all.length - 1] === holder) all.pop();
    // Every other one is gone: the search for who is left is paid for by those who left.
    if (all.length > 2 * this.#count + SPARE) {
      this.#all = all.filter((each) => each !== holder && each.holds(this.#quota));
    }
  }

  /** What comes to be counted, or free, by itself, in order of instant; without those of `but`. */
  pending(but?: ReadonlySet<Holder>): Pending[] {
    const pending: Pending[] = [];
    for (const holder of this.#all) {
      const one = but?.has(holder) ? null : holder.pendingOn(this.#quota);
      if (one !== null) pending.push(one);
    }
    return pending.sort((a, b) => a.at - b.at);
  }
}
