// How low a sum of what falls with time and rises with every amount has been since an instant.
//
//   before an amount at t: (t, value) is put last, and those before it that are no lower are dropped
//   since(s): the value of the first one after s; those that are kept rise, so that it is the least of all after s
//
// Regimes: between two amounts the sum only falls, so that it is lowest just before an amount, or now. Rarely more than a few
// are kept; of more than 64 every other one is dropped, its value put in the place of the next, which is never too high.

const MOST = 64;

/** Constant memory; O(1) amortised for amounts, O(64) for questions. */
export class RunningMinimum {
  #lows: { readonly at: number; value: number }[] = [];

  /** The sum was `value` at `at`, before an amount came; instants never go back. */
  note(at: number, value: number): void {
    const lows = this.#lows;
    while (lows.length > 0 && lows[lows.length - 1]!.value >= value) lows.pop();
    if (lows.length === MOST) {
      this.#lows = lows.filter((_, i) => i % 2 === 1);
      for (const [i, low] of this.#lows.entries()) low.value = lows[2 * i]!.value;
    }
    this.#lows.push({ at, value });
  }

  /** The least since `stamp`, of what was noted later; Infinity: nothing was. */
  since(stamp: number): number {
    return this.#lows[this.#firstAfter(stamp)]?.value ?? Infinity;
  }

  /** An amount of `stamp` was less by so much: so was the sum, from then on. */
  lower(by: number, stamp: number): void {
    const first = this.#firstAfter(stamp);
    for (const low of this.#lows.slice(first)) low.value -= by;
    const least = this.since(stamp);
    this.#lows = this.#lows.filter((low, i) => i >= first || low.value < least);
  }

  copy(): RunningMinimum {
    const copy = new RunningMinimum();
    copy.#lows = this.#lows.map((low) => ({ ...low }));
    return copy;
  }

  #firstAfter(stamp: number): number {
    const first = this.#lows.findIndex(({ at }) => at > stamp);
    return first < 0 ? this.#lows.length : first;
  }
}
