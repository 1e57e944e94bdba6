// Minimum of a balance since a given instant. The balance falls with time and rises with every amount.
//
//   note(t, v):  v: balance just before an amount at t. Appends (t, v) after it drops all earlier pairs with values >= v
//   since(s):    value of the first pair after s. The values rise from pair to pair, so that one is the minimum after s
//
// Regimes: between two amounts the balance only falls, so it is lowest just before an amount, or now. The list is rarely
// longer than a few pairs. Beyond 64 pairs it drops every second one and gives its value to the next pair. A minimum might
// then be too low, never too high.

const MAX_PAIRS = 64;

/** Constant memory; O(1) amortised for `note`, O(64) for the other methods. */
export class RunningMinimum {
  #minima: { readonly at: number; value: number }[] = [];

  /** Notes that the balance was `value` at `at`, just before an amount. Instants never go back. */
  note(at: number, value: number): void {
    const minima = this.#minima;
    while (minima.length > 0 && minima[minima.length - 1]!.value >= value) minima.pop();
    if (minima.length === MAX_PAIRS) {
      this.#minima = minima.filter((_, i) => i % 2 === 1);
      for (const [i, pair] of this.#minima.entries()) pair.value = minima[2 * i]!.value;
    }
    this.#minima.push({ at, value });
  }

  /** Minimum of all values noted after `instant`. Infinity: none was noted. */
  since(instant: number): number {
    return this.#minima[this.#firstAfter(instant)]?.value ?? Infinity;
  }

  /** Lowers all values after `instant` by `by`, because an amount of that instant was smaller by so much. */
  lower(by: number, instant: number): void {
    const first = this.#firstAfter(instant);
    for (const pair of this.#minima.slice(first)) pair.value -= by;
    const minimum = this.since(instant);
    this.#minima = this.#minima.filter((pair, i) => i >= first || pair.value < minimum);
  }

  copy(): RunningMinimum {
    const copy = new RunningMinimum();
    copy.#minima = this.#minima.map((pair) => ({ ...pair }));
    return copy;
  }

  #firstAfter(instant: number): number {
    const first = this.#minima.findIndex(({ at }) => at > instant);
    return first < 0 ? this.#minima.length : first;
  }
}
