// Numbers that look random and follow from a seed alone, on every machine: sfc32, of Chris Doty-Humphrey's PractRand.

/** Draws that are the same for the same seeds. */
export class SeededRandom {
  readonly #state: Uint32Array;

  constructor(...seeds: readonly number[]) {
    this.#state = new Uint32Array([...seeds, 0, 0, 0].slice(0, 3).concat(1));
    // The first draws still resemble the seeds.
    for (let i = 0; i < 16; i++) this.#next();
  }

  /** Below 1, in steps of 2^-53. */
  fraction(): number {
    return ((this.#next() >>> 5) * 2 ** 26 + (this.#next() >>> 6)) / 2 ** 53;
  }

  /** A whole number, both ends included. */
  whole(least: number, most: number): number {
    return least + Math.floor(this.fraction() * (most - least + 1));
  }

  chance(probability: number): boolean {
    return this.fraction() < probability;
  }

  one<T>(of: readonly T[]): T {
    return of[this.whole(0, of.length - 1)]!;
  }

  /** The same items in another order. */
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
