/**
 * Counts the changes of every provider, side by side in memory: who ranks a thousand of them sees at a glance which to look
 * at again. A provider's slot is its own until it is removed.
 */
export class Versions {
  #counts = new Float64Array(8);
  #size = 0;
  readonly #free: number[] = [];

  take(): number {
    const slot = this.#free.pop() ?? this.#size++;
    if (slot >= this.#counts.length) {
      const counts = new Float64Array(2 * slot);
      counts.set(this.#counts);
      this.#counts = counts;
    }
    return slot;
  }

  giveBack(slot: number): void {
    this.touch(slot);
    this.#free.push(slot);
  }

  touch(slot: number): void {
    this.#counts[slot]!++;
  }

  /** By slot; valid until the next `take`. */
  get counts(): Float64Array {
    return this.#counts;
  }
}
