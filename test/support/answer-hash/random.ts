/** Random draws, the same for the same seed (mulberry32): integer arithmetic only, so that every machine agrees. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** A whole number from 0 to 2^32 - 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  /** A whole number from `least` to `most`. */
  int(least: number, most: number): number {
    return least + (this.next() % (most - least + 1));
  }

  /** Uniform in [0, 1). */
  fraction(): number {
    return this.next() / 2 ** 32;
  }

  /** True in `percent` of 100 cases. */
  chance(percent: number): boolean {
    return this.next() % 100 < percent;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.next() % list.length]!;
  }

  /** The value in `percent` of 100 cases, else undefined. */
  maybe<T>(percent: number, draw: () => T): T | undefined {
    return this.chance(percent) ? draw() : undefined;
  }

  /** One of the values, in proportion to the whole number before it. */
  weighted<T>(table: readonly (readonly [weight: number, value: T])[]): T {
    let place = this.next() % table.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, value] of table) {
      if (place < weight) return value;
      place -= weight;
    }
    throw new RangeError("the table is empty");
  }

  /** A part of the list in random order; empty in rare cases. */
  subset<T>(list: readonly T[]): T[] {
    const rest = [...list];
    const drawn: T[] = [];
    for (let left = this.int(this.chance(4) ? 0 : 1, list.length); left > 0; left--) {
      drawn.push(...rest.splice(this.next() % rest.length, 1));
    }
    return drawn;
  }
}
