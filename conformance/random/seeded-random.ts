// Pseudorandom numbers that depend on a seed alone, on every machine: sfc32, of Chris Doty-Humphrey's PractRand.

/** Generator with the same numbers for the same seeds. */
export class SeededRandom {
  readonly #state: Uint32Array;

  constructor(...seeds: readonly number[]) {
    this.#state = new Uint32Array([...seeds, 0, 0, 0].slice(0, 3).concat(1));
    // The first numbers still resemble the seeds, so they are skipped.
    for (let i = 0; i < 16; i++) this.#next();
  }

  /** Returns a number from 0 to below 1, in steps of 2^-53. */
  fraction(): number {
    return ((this.#next() >>> 5) * 2 ** 26 + (this.#next() >>> 6)) / 2 ** 53;
  }

  /** Returns a whole number, both ends included. */
  whole(min: number, max: number): number {
    return min + Math.floor(this.fraction() * (max - min + 1));
  }

  chance(probability: number): boolean {
    return this.fraction() < probability;
  }

  one<T>(items: readonly T[]): T {
    return items[this.whole(0, items.length - 1)]!;
  }

  /** Returns the items in a random order. */
  shuffled<T>(items: readonly T[]): T[] {
    const left = [...items];
    return items.map(() => left.splice(this.whole(0, left.length - 1), 1)[0]!);
  }

  #next(): number {
    const s = this.#state;
    const drawn = (s[0]! + s[1]! + s[3]!) >>> 0;
    s[3]!++;
    s[0] = s[1]! ^ (s[1]! >>> 9);
    s[1] = s[2]! + (s[2]! << 3);
    s[2] = ((s[2]! << 21) | (s[2]! >>> 11)) + drawn;
    return drawn;
  }
}
